"""The habits of the house as functions over a source text: each returns what it found, `line: what`, or nothing.

Every rule is itself tested against an example that breaks it: a rule that cannot fail is worthless.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

SENTENCE = re.compile(r"^[A-Z\u0600-\u06FF]\S*\s+\S*\w\S*\s+\S*\w")
STATE_NAMES = {"state", "status"}
WRITING_VERBS = {"replace", "save", "set", "update", "create", "insert", "values", "put", "add", "write", "store"}
WORK_QUEUES = {"inbox", "outbox"}
SQL_STATE = re.compile(r"(?i)\bupdate\s+(?!inbox|outbox)\w+\s+set\s.*\bstat(e|us)\s*=\s*'|^\s*set\s+stat(e|us)\s*=\s*'", re.DOTALL)
SECRET = re.compile(r"(^|_)(signature|token|secret|otp|password|passphrase|digest|hmac|csrf|pin|api_key|passkey)(_hash)?$")
NO_NAMES = {"utils", "util", "helpers", "helper", "manager", "managers", "base", "common", "misc", "shared"}
BUGS = {"ValueError", "TypeError", "AssertionError", "RuntimeError", "NotImplementedError", "KeyError", "LookupError", "SystemExit"}
FOR_DEVELOPERS = {"description", "summary", "title", "help", "doc", "documentation", "pattern", "examples"}
CLOCKS = {
    "datetime.now", "datetime.utcnow", "datetime.today", "date.today", "time.time", "time.time_ns", "time.localtime", "time.gmtime",
    "os.urandom", "uuid.uuid1", "uuid.uuid3", "uuid.uuid4", "uuid.uuid5", "uuid.uuid6", "uuid.uuid7", "uuid.uuid8",
}  # fmt: skip
DICE = {"random", "secrets", "numpy.random"}
PATCHES = {"setattr", "delattr", "setitem", "delitem"}
FILE_LINES = 400
FUNCTION_LINES = 60


def floats(source: str, literals: bool = True) -> list[str]:
    """Money is counted in whole minor units: no float, no float literal, no true division. (Names in `_s` are seconds.)"""
    found = []
    tree = ast.parse(source)
    seconds = {id(node) for outer in ast.walk(tree) for part in parts_in_seconds(outer) for node in ast.walk(part)}
    for node in ast.walk(tree):
        if id(node) in seconds:
            continue
        if isinstance(node, ast.Name) and node.id == "float":
            found.append(f"{node.lineno}: float")
        elif isinstance(node, (ast.BinOp, ast.AugAssign)) and isinstance(node.op, ast.Div):
            found.append(f"{node.lineno}: true division")
        elif literals and isinstance(node, ast.Constant) and isinstance(node.value, (float, complex)):
            found.append(f"{node.lineno}: {node.value}")
    return found


def parts_in_seconds(node: ast.AST) -> Iterator[ast.AST]:
    if (
        (isinstance(node, ast.AnnAssign) and last_name(node.target).lower().endswith("_s"))
        or (isinstance(node, ast.Assign) and all(last_name(target).lower().endswith("_s") for target in node.targets))
        or (isinstance(node, ast.keyword) and (node.arg or "").endswith("_s"))
    ):
        yield node
    elif isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
        if node.returns and node.name.endswith("_s"):
            yield node.returns
        named = [*node.args.posonlyargs, *node.args.args]
        given = [*zip(named[::-1], node.args.defaults[::-1], strict=False), *zip(node.args.kwonlyargs, node.args.kw_defaults, strict=True)]
        yield from (default for argument, default in given if default and argument.arg.endswith("_s"))
        yield from (argument for argument in [*named, *node.args.kwonlyargs] if argument.arg.endswith("_s"))


def states_set(source: str) -> list[str]:
    """A state comes out of `life.move`; outside heart and hall nobody writes one down, neither as a member nor as a string.

    Not meant: that a worker claimed a row of the inbox or the outbox; this is no state of anything sold.
    """
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, (ast.Assign, ast.AnnAssign)):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            if any(isinstance(target, ast.Attribute) and target.attr in STATE_NAMES for target in targets) and is_state(node.value):
                found.append(f"{node.lineno}: assigns a state")
        elif isinstance(node, ast.Call) and writes(node.func) and not on_a_work_queue(node):
            found += [f"{node.lineno}: writes {word.arg}=" for word in node.keywords if word.arg in STATE_NAMES and is_state(word.value)]
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and SQL_STATE.search(node.value):
            found.append(f"{node.lineno}: SQL that writes a state down")
    return found


def states_not_moved_to(source: str, initial: dict[str, set[str]]) -> list[str]:
    """In the hall a state is written only after the same function asked its life: `LINK.move(old, LinkState.SOLD_OUT, by)`.

    A thing is born in an initial state of its life. `initial` holds them by the name of the states; what has no life is free.
    """
    found = []
    tree = ast.parse(source)
    functions = [node for node in ast.walk(tree) if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))]
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            written = (
                [word.value for word in node.keywords if word.arg in STATE_NAMES and is_state(word.value)] if writes(node.func) else []
            )
        elif isinstance(node, ast.Assign) and any(isinstance(one, ast.Attribute) and one.attr in STATE_NAMES for one in node.targets):
            written = [node.value] if is_state(node.value) else []
        else:
            continue
        for value in written:
            life, _, member = ".".join(dotted(value).split(".")[-2:]).partition(".")
            born = isinstance(node, ast.Call) and last_name(node.func)[:1].isupper()
            asked = (born and member in initial.get(life, set())) or any(moves(one, node, f"{life}.{member}") for one in functions)
            if isinstance(value, ast.Constant) or (life in initial and not asked):
                found.append(f"{node.lineno}: {'born as' if born else 'becomes'} {ast.unparse(value)}")
    return found


def moves(function: ast.AST, node: ast.stmt | ast.expr, state: str) -> bool:
    """Whether `function` holds `node` and asks a life for `state` before it."""
    inside = list(ast.walk(function))
    return node in inside and any(
        isinstance(call, ast.Call)
        and last_name(call.func) == "move"
        and call.lineno <= node.lineno
        and any(dotted(one).endswith(state) for one in [*call.args, *(word.value for word in call.keywords)])
        for call in inside
    )


def on_a_work_queue(call: ast.Call) -> bool:
    return any(
        isinstance(node, ast.Call)
        and last_name(node.func) in {"update", "insert"}
        and any(last_name(one) in WORK_QUEUES for one in node.args)
        for node in ast.walk(call.func)
    )


def is_state(value: ast.expr | None) -> bool:
    if isinstance(value, ast.Constant):
        return isinstance(value.value, str)
    return isinstance(value, ast.Attribute) and value.attr.isupper() and last_name(value.value).endswith(("State", "Status"))


def writes(function: ast.expr) -> bool:
    """Makes or changes a thing (`Order(...)`, `replace(...)`, `unit.orders.save(...)`), as against asking for things by their state."""
    name = last_name(function)
    return name[:1].isupper() or name in WRITING_VERBS


def environment_read(source: str) -> list[str]:
    """The environment is read in one place."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if dotted(node) in {"os.environ", "os.environb", "os.getenv", "os.putenv"}:
            found.append(f"{line_of(node)}: {dotted(node)}")
        elif isinstance(node, ast.ImportFrom) and node.module == "os":
            found += [f"{node.lineno}: from os import {name.name}" for name in node.names if name.name in {"environ", "environb", "getenv"}]
    return found


def clocks_and_dice(source: str) -> list[str]:
    """What time it is and what chance says are given to a room by the builder. (How long something took is not a date.)"""
    found = []
    for node in ast.walk(ast.parse(source)):
        if any(dotted(node) == name or dotted(node).endswith("." + name) for name in CLOCKS):
            found.append(f"{line_of(node)}: {dotted(node)}")
        elif isinstance(node, ast.Import):
            found += [f"{node.lineno}: import {name.name}" for name in node.names if name.name in DICE]
        elif isinstance(node, ast.ImportFrom):
            names = [f"{node.module}.{name.name}" for name in node.names]
            found += [f"{node.lineno}: from {node.module}" for name in names if node.module in DICE or name in CLOCKS]
    return found


def words_for_people(source: str) -> list[str]:
    """Sentences live in templates/ and bot/dialogs/. Not meant: docstrings, what a bug says, what an interface description says."""
    tree = ast.parse(source)
    skipped = {id(node) for outer in ast.walk(tree) for part in parts_for_developers(outer) for node in ast.walk(part)}
    return [
        f"{line_of(node)}: {text[:60]!r}"
        for node in ast.walk(tree)
        if id(node) not in skipped and (text := spoken(node)) and SENTENCE.search(text)
    ]


def parts_for_developers(node: ast.AST) -> Iterator[ast.AST]:
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
        yield node  # a docstring
    elif isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call) and last_name(node.exc.func) in BUGS:
        yield node
    elif isinstance(node, ast.Assert) and node.msg is not None:
        yield node.msg
    elif isinstance(node, ast.keyword) and node.arg in FOR_DEVELOPERS:
        yield node.value
    elif isinstance(node, ast.JoinedStr):
        yield from node.values  # looked at as a whole


def spoken(node: ast.AST) -> str:
    if isinstance(node, ast.JoinedStr):
        return "".join(str(part.value) if isinstance(part, ast.Constant) else "0" for part in node.values)
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""


def libraries(source: str, allowed: frozenset[str]) -> list[str]:
    """The heart imports Python's own modules and itself."""
    found = []
    for node in ast.walk(ast.parse(source)):
        modules = [name.name for name in node.names] if isinstance(node, ast.Import) else []
        modules += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
        found += [f"{line_of(node)}: {module}" for module in modules if module.partition(".")[0] not in allowed]
    return found


def awaits(source: str) -> list[str]:
    """The heart decides at once."""
    waiting = (ast.Await, ast.AsyncFor, ast.AsyncWith)
    return [f"{line_of(node)}: waits" for node in ast.walk(ast.parse(source)) if isinstance(node, waiting)]


def plain_comparisons_of_secrets(source: str) -> list[str]:
    """A secret is compared in constant time (hmac.compare_digest), so that the time taken tells nothing."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.Compare) or not all(isinstance(op, (ast.Eq, ast.NotEq)) for op in node.ops):
            continue
        sides = [node.left, *node.comparators]
        if any(isinstance(side, ast.Constant) and not side.value for side in sides):
            continue  # asks whether there is one at all
        found += [f"{node.lineno}: {last_name(side)}" for side in sides if SECRET.search(last_name(side).lower())]
    return found


def patching(source: str) -> list[str]:
    """A test builds the house with other arguments; it replaces nothing behind its back. (Settings may come from a test's environment.)"""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Attribute) and last_name(node.value) == "monkeypatch" and node.attr in PATCHES:
            found.append(f"{node.lineno}: monkeypatch.{node.attr}")
        elif isinstance(node, (ast.Import, ast.ImportFrom)):
            names = [name.name for name in node.names] + [getattr(node, "module", None) or ""]
            found += [f"{node.lineno}: {name}" for name in names if name in {"unittest.mock", "mock", "unittest"}]
    return found


def too_long(source: str) -> list[str]:
    """A file is read in one sitting, a function at one look."""
    found = [f"{FILE_LINES + 1}: file of {count} lines"] if (count := len(source.splitlines())) > FILE_LINES else []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            lines = (node.end_lineno or node.lineno) - node.lineno + 1
            if lines > FUNCTION_LINES:
                found.append(f"{node.lineno}: {node.name} has {lines} lines")
    return found


def vague_names(path: str) -> list[str]:
    """A name says what is inside."""
    return [part for part in path.removesuffix(".py").split("/") if part in NO_NAMES]


MACHINE_PATHS = re.compile(r"(?<![\w.:/-])/(?:root|home|Users|work|mnt|opt|tmp)/[\w.-]+|\b[A-Z]:\\Users\\")
REGISTRIES = re.compile(
    r"(?i)\b(?:pypi\.org|pythonhosted\.org|registry\.npmjs\.org|registry\.yarnpkg\.com|npmmirror\.com|proxy\.golang\.org)"
    r"|--(?:extra-)?index(?:-url)?[ =]|--find-links[ =]|--registry[ =]"
)


def machine_paths(text: str) -> list[str]:
    """What is in the tree works in any folder of any machine."""
    return [f"{number}: {found.group()}" for number, line in enumerate(text.splitlines(), 1) for found in MACHINE_PATHS.finditer(line)]


def registries(text: str) -> list[str]:
    """Where packages come from is the business of the machine that installs them."""
    return [f"{number}: {found.group()}" for number, line in enumerate(text.splitlines(), 1) for found in REGISTRIES.finditer(line)]


def dotted(node: ast.AST) -> str:
    """`datetime.now` for the expression of that name, else ''."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        inner = dotted(node.value)
        return f"{inner}.{node.attr}" if inner else ""
    return ""


def last_name(node: ast.AST) -> str:
    """The last word of an expression: `b` for `a.b`, `a["b"]`, `b(...)` and `b.get()`'s owner is not looked for."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        return node.attr
    if isinstance(node, ast.Call):
        return last_name(node.func)
    if isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Constant):
        return str(node.slice.value).replace("-", "_")
    return ""


def line_of(node: ast.AST) -> int:
    return int(getattr(node, "lineno", 0))
