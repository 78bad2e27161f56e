"""A folder for ``PYTHONPATH``, not a package to import: Python runs its ``sitecustomize`` at start."""
