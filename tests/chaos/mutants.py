"""placeholder"""
from pathlib import Path
from dataclasses import dataclass
@dataclass
class Mutant:
    name: str
MUTANTS: list[Mutant] = []
def storm_with(mutant: Mutant, place: Path, seed: int):
    ...
