"""Read the tests of a Python file as pytest and unittest would collect them, from its syntax tree."""

import ast
import warnings
from collections.abc import Iterable, Iterator, Sequence

from agent_orchestrator.runtime.cases import Case

_IDLE = frozenset({"skip", "xfail", "expectedFailure"})
_IDLE_IF = frozenset({"skipif", "skipIf", "skipUnless", "importorskip"})
_SWALLOWS = frozenset({"Exception", "BaseException", "AssertionError"})
_ASSERTING = ("assert", "check", "expect", "verify", "should", "ensure")
"""Beginnings of names whose calls are taken for assertions: a project's own helpers are among them."""

BROKEN = (SyntaxError, ValueError, RecursionError, MemoryError)
"""What a text that is no Python, or too deep for the parser, ends in."""

Function = ast.FunctionDef | ast.AsyncFunctionDef


def read_python(text: str) -> dict[str, Case]:
    """Return the tests in *text* by name, methods as ``Class.test``; empty when it is not valid Python."""
    try:
        return _read(parsed(text))
    except BROKEN:
        return {}


def parsed(text: str) -> ast.Module:
    """Return the syntax tree of *text*, without a word on its style. Raises one of BROKEN."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return ast.parse(text)


def _read(module: ast.Module) -> dict[str, Case]:
    idle, idle_if = _marks_of_block(module.body)
    cases: dict[str, Case] = {}
    for name, function, marks in _tests(module.body):
        cases[name] = _case(name, function, marks)
    outside = [one for one in module.body if not isinstance(one, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)]
    cases[""] = Case(name="", body="".join(map(ast.dump, outside)), asserts=0, idle=idle, idle_if=idle_if)
    return cases


def _tests(block: Iterable[ast.stmt]) -> Iterator[tuple[str, Function, list[ast.expr]]]:
    """Yield the tests of a module with their names and the decorators of their classes.

    A later one replaces one of the same name, as it does for Python.
    """
    for one in _alive(block):
        if isinstance(one, Function) and one.name.startswith("test"):
            yield one.name, one, []
        elif isinstance(one, ast.ClassDef) and _is_collected(one):
            for method in _alive(one.body):
                if isinstance(method, Function) and method.name.startswith("test"):
                    yield f"{one.name}.{method.name}", method, one.decorator_list


def _is_collected(node: ast.ClassDef) -> bool:
    off = any(
        isinstance(one, ast.Assign)
        and any(isinstance(target, ast.Name) and target.id == "__test__" for target in one.targets)
        and isinstance(one.value, ast.Constant)
        and not one.value.value
        for one in node.body
    )
    return not off and (node.name.startswith("Test") or bool(node.bases))


def _alive(block: Iterable[ast.stmt]) -> Iterator[ast.stmt]:
    """Yield the statements of *block* and of its conditions, without what can never run."""
    for one in block:
        if isinstance(one, ast.If):
            if not _is_false(one.test):
                yield from _alive(one.body)
            yield from _alive(one.orelse)
        elif isinstance(one, ast.Try):
            yield from _alive([*one.body, *one.orelse, *one.finalbody])
        else:
            yield one


def _case(name: str, function: Function, marks: Sequence[ast.expr]) -> Case:
    decorators = [*marks, *function.decorator_list]
    idle, idle_if = _marks_of_block(function.body)
    for decorator in decorators:
        kind = _idle_kind(decorator)
        idle, idle_if = idle + (kind == "always"), idle_if + (kind == "if")
    asserts = _asserts(function.body) * _repetitions(decorators)
    body = function.body[1:] if ast.get_docstring(function) is not None else function.body
    return Case(
        name=name,
        body="".join(map(ast.dump, [*decorators, *body])),
        asserts=asserts,
        idle=idle,
        idle_if=idle_if,
        hollow=asserts == 0 and not _does_something(body),
    )


def _does_something(block: Sequence[ast.stmt]) -> bool:
    for statement in block:
        for node in ast.walk(statement):
            if isinstance(node, ast.Import | ast.ImportFrom | ast.With | ast.AsyncWith):
                return True
            if isinstance(node, ast.Call) and not _is_trivial_call(node):
                return True
    return False


def _marks_of_block(block: Sequence[ast.stmt]) -> tuple[int, int]:
    """Return how often a block says that it does not run, always and on a condition."""
    always = on_condition = 0
    for one in block:
        if isinstance(one, ast.Expr | ast.Raise | ast.Return):
            value = one.exc if isinstance(one, ast.Raise) else one.value
            always += _is_skip(value)
        elif isinstance(one, ast.Assign) and any(isinstance(t, ast.Name) and t.id == "pytestmark" for t in one.targets):
            marks = one.value.elts if isinstance(one.value, ast.List | ast.Tuple) else [one.value]
            kinds = [_idle_kind(mark) for mark in marks]
            always, on_condition = always + kinds.count("always"), on_condition + kinds.count("if")
        elif isinstance(one, ast.If):
            inner, inner_if = _marks_of_block([*one.body, *one.orelse])
            if _is_true(one.test):
                always += inner
            elif not _is_false(one.test):
                on_condition += inner
            on_condition += inner_if
        elif isinstance(one, ast.Try | ast.With | ast.For | ast.While):
            inner, inner_if = _marks_of_block(one.body)
            always, on_condition = always + inner, on_condition + inner_if
    return always, on_condition


def _is_skip(node: ast.expr | None) -> bool:
    name = _name(node.func) if isinstance(node, ast.Call) else _name(node) if node is not None else ""
    return name in {"skip", "skipTest", "SkipTest", "xfail"} and (isinstance(node, ast.Call) or name == "SkipTest")


def _idle_kind(mark: ast.expr) -> str:
    """Return ``always``, ``if`` or nothing: what a decorator or mark does to its test."""
    name = _name(mark.func) if isinstance(mark, ast.Call) else _name(mark)
    arguments = mark.args if isinstance(mark, ast.Call) else []
    if name in _IDLE:
        return "if" if name == "xfail" and arguments and not _is_true(arguments[0]) else "always"
    if name in _IDLE_IF:
        never = (
            _is_false(arguments[0])
            if name == "skipUnless" and arguments
            else bool(arguments) and _is_true(arguments[0])
        )
        return "always" if never else "if"
    if name == "parametrize" and len(arguments) > 1:
        values = arguments[1]
        return "always" if isinstance(values, ast.List | ast.Tuple) and not values.elts else ""
    return ""


def _repetitions(decorators: Sequence[ast.expr]) -> int:
    product = 1
    for one in decorators:
        if isinstance(one, ast.Call) and _name(one.func) == "parametrize" and len(one.args) > 1:
            values = one.args[1]
            product *= len(values.elts) if isinstance(values, ast.List | ast.Tuple) else 1
    return product


def _asserts(block: Sequence[ast.stmt]) -> int:
    """Return how many assertions of *block* can be reached and can fail."""
    count = 0
    for one in block:
        match one:
            case ast.Assert(test=test):
                count += not _always_holds(test)
            case ast.Expr(value=value) | ast.Assign(value=value):
                value = value.value if isinstance(value, ast.Await) else value
                count += isinstance(value, ast.Call) and _is_asserting(value)
            case ast.If(test=test, body=body, orelse=orelse):
                count += (0 if _is_false(test) else _asserts(body)) + (0 if _is_true(test) else _asserts(orelse))
            case ast.Try(body=body, handlers=handlers, orelse=orelse, finalbody=final):
                swallowed = any(_swallows(handler) for handler in handlers)
                count += (0 if swallowed else _asserts(body)) + _asserts(orelse) + _asserts(final)
                for handler in handlers:
                    count += _asserts([each for each in handler.body if not isinstance(each, ast.Raise)])
            case ast.With(items=items, body=body) | ast.AsyncWith(items=items, body=body):
                calls = [item.context_expr for item in items if isinstance(item.context_expr, ast.Call)]
                count += sum(_is_asserting(call) for call in calls)
                if not any(_name(call.func) == "suppress" and _any_swallowed(call.args) for call in calls):
                    count += _asserts(body)
            case ast.For(body=body) | ast.AsyncFor(body=body) | ast.While(body=body):
                count += _asserts(body)
            case ast.FunctionDef(body=body):
                count += _asserts(body)
            case ast.Raise() | ast.Return():
                return count + isinstance(one, ast.Raise)
            case _:
                pass
    return count


def _is_asserting(call: ast.Call) -> bool:
    name = _name(call.func).lstrip("_").lower()
    known = name.startswith(_ASSERTING) or name in {"raises", "warns", "deprecated_call", "fail"}
    return known and not _is_trivial_call(call)


def _is_trivial_call(call: ast.Call) -> bool:
    """Say whether it is an assertion that holds whatever the code does."""
    if not _name(call.func).lower().startswith("assert") or not call.args:
        return False
    of_a_mock = _name(call.func).startswith(("assert_called", "assert_any_call", "assert_awaited", "assert_has"))
    if all(isinstance(one, ast.Constant) for one in call.args) and not of_a_mock:
        return True
    return len(call.args) > 1 and ast.dump(call.args[0]) == ast.dump(call.args[1])


def _always_holds(test: ast.expr) -> bool:
    if _is_true(test):
        return True
    if isinstance(test, ast.BoolOp) and isinstance(test.op, ast.Or):
        return any(_always_holds(one) for one in test.values)
    if isinstance(test, ast.Compare):
        return all(ast.dump(test.left) == ast.dump(other) for other in test.comparators) and all(
            isinstance(op, ast.Eq | ast.Is | ast.GtE | ast.LtE) for op in test.ops
        )
    return isinstance(test, ast.Tuple | ast.List | ast.JoinedStr) and bool(getattr(test, "elts", True))


def _swallows(handler: ast.ExceptHandler) -> bool:
    """Say whether a failed assertion ends in this handler without anybody hearing of it."""
    caught = handler.type
    kinds = caught.elts if isinstance(caught, ast.Tuple) else [caught] if caught is not None else []
    if caught is not None and not _any_swallowed(kinds):
        return False
    return not any(isinstance(node, ast.Raise) for one in handler.body for node in ast.walk(one)) and not _asserts(
        handler.body
    )


def _any_swallowed(kinds: Sequence[ast.expr]) -> bool:
    return any(_name(kind) in _SWALLOWS for kind in kinds)


def _is_true(node: ast.expr) -> bool:
    try:
        return bool(ast.literal_eval(node))
    except (ValueError, TypeError, SyntaxError, RecursionError):
        return (
            isinstance(node, ast.Compare)
            and isinstance(node.left, ast.Constant)
            and all(isinstance(op, ast.Eq) for op in node.ops)
            and all(isinstance(one, ast.Constant) and one.value == node.left.value for one in node.comparators)
        )


def _is_false(node: ast.expr) -> bool:
    try:
        return not ast.literal_eval(node)
    except (ValueError, TypeError, SyntaxError, RecursionError):
        return False


def _name(node: ast.expr | None) -> str:
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else _name(node.func) if isinstance(node, ast.Call) else ""
