"""The rules of the source tree that a program can check; each breach is one line `path:line: what`.

Used by source_rules_test.py. Only the standard library is needed.
"""

import collections
import itertools
import pathlib
import re

# A folder includes only itself and folders above it in this list.
ORDER = (
    "core/base",
    "core/trace",
    "core/io/blocks",
    "core/io",
    "core/io/writers",
    "core/io/events",
    "core/io/numpy",
    "core/text/regex",
    "core/text/jinja/python",
    "core/text/jinja",
    "core/text/sentencepiece",
    "core/text/tokenizer",
    "core/text",
    "core/metrics",
    "core/nn",
    "core/model/families",
    "core/model/pretrained",
    "core/model",
    "core/model/encoders",
    "core/loss",
    "core/optim",
    "core/data",
    "core/data/benchmarks",
    "core/generate",
    "core/reward",
    "core/memory/search",
    "core/memory",
    "core/edit",
    "core/editing",
    "core/editing/editors",
    "core/evaluate/methods",
    "core/evaluate/judge",
    "core/evaluate/results",
    "core/evaluate",
    "core/capability",
    "distributed/job",
    "distributed/comm",
    "distributed/sharding",
    "distributed/checkpoint",
    "distributed/planner",
    "distributed/memory_search",
    "stages/recipe",
    "stages/report",
    "stages/weights",
    "stages/run",
    "stages/watch",
    "stages/follow",
    "stages/build_data",
    "stages/train",
    "stages/preference",
    "stages/edit",
    "stages/covariance",
    "stages/evaluate",
    "stages/capability",
    "stages/export",
    "stages/pipeline",
    "stages/ask",
    "stages/serve",
    "stages/catalog",
    "launch/shell",
    "launch/command_line",
    "launch/ask",
    "launch/sweep",
    "launch",
)
# Third-party headers and the one folder (with its tests) that may include them. Benchmarks may hold
# our calls against the library's own.
HOMES = (
    (re.compile(r"(hdf5|hdf5_hl|H5\w*)\.h"), "core/io"),
    (re.compile(r"(.*/)?(mpi|nccl)\.h"), "distributed/comm"),
    (re.compile(r"yaml-cpp/.*"), "stages/recipe"),
    (re.compile(r"httplib\.h"), "stages/serve"),
)
CUDA_HEADER = re.compile(
    r"(cuda|cublas|cudnn|cufft|curand|cusolver|cusparse|nvtx|nvToolsExt|nvml).*\.h"
    r"|(c10|ATen)/(cuda|cudnn)/.*|torch/csrc/(api/include/torch/)?cuda.*|thrust/.*|cub/.*"
)
MOST_FILES = 30  # .h and .cpp directly in one folder
# A .cpp has its .h beside it, but for these.
WITHOUT_HEADER = (
    re.compile(r"launch/(\w+/)?main\.cpp"),  # the programs themselves
    # Entries of a table, one file each; the header of the table declares them.
    re.compile(r"core/(model/families|evaluate/methods|data/benchmarks|editing/editors)/\w+\.cpp"),
)
MOST_LINES, MOST_PARAMETERS = 60, 6  # as in .clang-tidy, which honours the same comment
# What gives a file its name: a header has it, and all others take it from there.
FILE_NAME = re.compile(r'^inline constexpr const char\* k\w+ = "([\w.]+\.\w+)";', re.MULTILINE)
SIZE_REASON = re.compile(r"// NOLINTNEXTLINE\(readability-function-size\): \w")
SKIPPED_FOLDERS = {".git", ".deps", "build", "runs", "models", "__pycache__"}
TEXT_SUFFIXES = {".h", ".cpp", ".py", ".sh", ".md", ".txt", ".cmake", ".yaml", ".sbatch", ".in"}
INCLUDE = re.compile(r'^\s*#\s*include\s*(?:"([^"]+)"|<([^>]+)>)')
# Spelled so that this file keeps its own rule.
UNFINISHED = re.compile(r"\b(TO" + r"DO|FIX" + r"ME)\b")
EXIT_CALL = re.compile(r"\bexit\s*\(")
# A stream takes a read that fails for the end of the file; core/io/file_reader.h tells them apart.
STREAM_READ = re.compile(
    r"\b(ifstream|fstream|filebuf|istreambuf_iterator|getline|fopen|fgets)\b"
)
STREAM_READERS = (
    re.compile(r"core/base/\w+\.cpp"),  # the system's own files; core/base is below core/io
    re.compile(r"launch/ask/ask\.cpp"),  # standard input
)
# These take an error for "not there", or give up where a signal interrupts.
PATH_QUERY = re.compile(
    r"\b(?:fs|std::filesystem)::"
    r"(exists|is_\w+|status|symlink_status|equivalent|directory_\w+|recursive_\w+|remove_all)\b"
    r"|::(l?stat|access|opendir)\s*\("
)
PATH_READERS = (
    re.compile(r"core/base/\w+\.(h|cpp)"),  # below core/io
    re.compile(r"core/io/(file|file_reader|digest_cache)\.cpp"),
    re.compile(r"distributed/job/launcher\.cpp"),  # a command to propose: a guess does
)
# "protocol 6.1", "Protocol, Appendix A", "protocol 2.3, 2.4 and Q9"; a quirk also alone: "Q9".
PROTOCOL = pathlib.PurePosixPath("docs/protocol.md")
PROTOCOL_PLACE = r"(?:\d+(?:\.\d+)?\b|Q\d+\b|[Aa]ppendix [A-Z]\b)"
PROTOCOL_CITED = re.compile(
    r"\b[Pp]rotocol(?:\]\([^)]*\))?,? "  # also as a link
    rf"({PROTOCOL_PLACE}(?:(?:, | and |-){PROTOCOL_PLACE})*)"
)
PROTOCOL_STATED = re.compile(rf"^(?:#+ |[-*] \*\*|\| \*\*)({PROTOCOL_PLACE})", re.MULTILINE)
QUIRK = re.compile(r"\bQ\d+\b")
# Pages that name files as they were then.
HISTORY = ("CHANGELOG.md", "benchmarks/results/")
TOP_FOLDERS = (
    *("core", "distributed", "stages", "recipes", "launch", "python"),
    *("benchmarks", "tests", "docs", "cmake", ".ci"),
)
OWN_PATH = re.compile(
    rf"(?:\./)?((?:{'|'.join(map(re.escape, TOP_FOLDERS))})/[\w./{{}},-]*)(?::\d+)?"
)
CODE_SPAN = re.compile(r"`([^`]+)`")
PLACEHOLDER = re.compile(r"N{2,}|\.\.\.")  # what else isn't a path has a character that none has
LINK = re.compile(r"\]\(([^)\s]+)\)")
COMMENT_MARKS = {".h": "//", ".cpp": "//", ".py": "#", ".yaml": "#", ".md": ""}
NOT_CODE = re.compile(
    r"//[^\n]*|/\*.*?\*/|R\"(\w*)\(.*?\)\1\"|\"(?:[^\"\\\n]|\\.)*\"|'(?:[^'\\\n]|\\.)'",
    re.DOTALL,
)
DIRECTIVE = re.compile(r"^[ \t]*#(?:[^\n]*\\\n)*[^\n]*", re.MULTILINE)
TEMPLATE = re.compile(r"\btemplate\s*<(?:[^<>]|<(?:[^<>]|<[^<>]*>)*>)*>")
# Marks that mean something else elsewhere.
OPERATOR = re.compile(r"\boperator\s*(?:\(\s*\)|[^\w\s()]+)|->")
ACCESS = re.compile(r"\s*(?:(?:public|private|protected)\s*:\s*)*")
SCOPE = re.compile(
    ACCESS.pattern + r"(?:(?:inline|static|constexpr|const)\s+)*"
    r"(?:requires\s*\([^;{]*\)\s*)?"
    r"(?:(?:namespace|class|struct|union|enum)\b|extern\s*$)"
)
ASSIGNMENT = re.compile(r"(?<![=!<>])=(?!=)")
NO_NAME = re.compile(r"\b(?:__attribute__|alignas|decltype|requires|explicit|noexcept)\s*$")
MEMBER_INITIALISER = re.compile(r"\)[^()]*(?<!:):(?!:)")


def files_of(root):
    """Paths relative to `root`, sorted; what isn't part of the project is left out."""
    for path in sorted(root.iterdir()):
        if path.is_dir():
            if path.name in SKIPPED_FOLDERS or path.name.startswith("build-"):
                continue
            for inner in files_of(path):
                yield pathlib.PurePosixPath(path.name) / inner
        elif path.is_file():
            yield pathlib.PurePosixPath(path.name)


def read(root, path):
    return (root / path).read_text(encoding="utf-8", errors="replace")


def part_of(path):
    """The entry of ORDER that holds `path`, the innermost one, or None."""
    holders = [part for part in ORDER if str(path).startswith(part + "/")]
    return max(holders, key=len, default=None)


def mirrored(path):
    """tests/core/io/x_test.cpp counts as core/io where third-party headers are concerned."""
    return path.relative_to("tests") if path.parts[0] == "tests" else path


def includes_of(text):
    """(line number, header, whether quoted) of each include."""
    for number, line in enumerate(text.splitlines(), 1):
        match = INCLUDE.match(line)
        if match:
            yield number, match.group(1) or match.group(2), match.group(1) is not None


def own_include_breach(root, path, header):
    if not any((root / name).is_file() for name in (header, header + ".in")):
        return f'"{header}" is not a file below the root'
    part, target = part_of(path), part_of(header)
    if target is None and not (path.parts[0] in ("tests", "benchmarks")):
        return f'"{header}": nothing includes {header.split("/")[0]}'
    if part is None or target is None:
        return None
    if ORDER.index(target) > ORDER.index(part):
        return f'"{header}": {part} must not include {target}'
    return None


def foreign_include_breach(path, header):
    for pattern, home in HOMES:
        at_home = path.parts[0] == "benchmarks" or mirrored(path).is_relative_to(home)
        if pattern.fullmatch(header) and not at_home:
            return f"<{header}> belongs in {home}"
    if path.suffix == ".h" and CUDA_HEADER.fullmatch(header):
        return f"<{header}>: CUDA headers belong in .cpp files"
    return None


def include_breaches(root):
    for path in files_of(root):
        if path.suffix not in (".h", ".cpp"):
            continue
        for number, header, quoted in includes_of(read(root, path)):
            breach = foreign_include_breach(path, header)
            if breach is None and quoted:
                breach = own_include_breach(root, path, header)
            if breach:
                yield f"{path}:{number}: {breach}"


def guard_breaches(root):
    for path in files_of(root):
        if path.suffix == ".h":
            guard = "XKDE_" + re.sub(r"\W", "_", str(path)).upper() + "_"
            if f"#ifndef {guard}\n#define {guard}\n" not in read(root, path):
                yield f"{path}:1: expected the header guard {guard}"


def glob_breaches(root):
    for path in files_of(root):
        if path.name == "CMakeLists.txt" or path.suffix == ".cmake":
            for number, line in enumerate(read(root, path).splitlines(), 1):
                if re.search(r"\bGLOB(_RECURSE)?\b", line.split("#")[0]):
                    yield f"{path}:{number}: sources are listed by name, not found by pattern"


def unfinished_breaches(root):
    for path in files_of(root):
        if path.suffix in TEXT_SUFFIXES:
            for number, line in enumerate(read(root, path).splitlines(), 1):
                if UNFINISHED.search(line):
                    yield f"{path}:{number}: unfinished work is not left in a file"


def blanked(match):
    """As long, and as many lines."""
    return re.sub(r"[^\n]", " ", match.group())


def code_of(text):
    return NOT_CODE.sub(blanked, text)


def exit_breaches(root):
    for path in files_of(root):
        if path.suffix in (".h", ".cpp") and part_of(path):
            code = code_of(read(root, path))
            for number, line in enumerate(code.splitlines(), 1):
                if EXIT_CALL.search(line):
                    yield f"{path}:{number}: errors are thrown; only main returns a code"


def stream_breaches(root):
    for path in files_of(root):
        excepted = any(pattern.fullmatch(str(path)) for pattern in STREAM_READERS)
        if path.suffix not in (".h", ".cpp") or not part_of(path) or excepted:
            continue
        for number, line in enumerate(code_of(read(root, path)).splitlines(), 1):
            found = STREAM_READ.search(line)
            if found and not line.lstrip().startswith("#"):
                yield (
                    f"{path}:{number}: {found[1]}: files are read by core/io/file_reader.h, which "
                    "tells a read that fails from the end"
                )


def path_query_breaches(root):
    for path in files_of(root):
        excepted = any(pattern.fullmatch(str(path)) for pattern in PATH_READERS)
        if path.suffix not in (".h", ".cpp") or not part_of(path) or excepted:
            continue
        for number, line in enumerate(code_of(read(root, path)).splitlines(), 1):
            found = PATH_QUERY.search(line)
            if found:
                yield (
                    f"{path}:{number}: {found[1] or found[2]}: core/io/file_reader.h says what is "
                    "there and core/io/file.h removes it; an error is never an absent file"
                )


def protocol_places(text):
    return [place.replace("appendix", "Appendix") for place in re.findall(PROTOCOL_PLACE, text)]


def cited_in(line, comment_mark):
    """What a line cites of docs/protocol.md, each once; quirks alone count in comments only."""
    cited = [place for run in PROTOCOL_CITED.findall(line) for place in protocol_places(run)]
    comment = line[line.find(comment_mark) :] if comment_mark in line else ""
    return dict.fromkeys(cited + QUIRK.findall(comment))


def protocol_breaches(root):
    page = read(root, PROTOCOL) if (root / PROTOCOL).is_file() else ""
    stated = {place for found in PROTOCOL_STATED.findall(page) for place in protocol_places(found)}
    for path in files_of(root):
        if path.suffix in COMMENT_MARKS and path != PROTOCOL:
            for number, line in enumerate(read(root, path).splitlines(), 1):
                for place in cited_in(line, COMMENT_MARKS[path.suffix]):
                    if place not in stated:
                        yield f"{path}:{number}: protocol {place} is not in {PROTOCOL}"


def crowd_breaches(root):
    sources = [path for path in files_of(root) if path.suffix in (".h", ".cpp") and part_of(path)]
    for folder, count in collections.Counter(path.parent for path in sources).items():
        if count > MOST_FILES:
            yield f"{folder}:1: {count} files, expected at most {MOST_FILES}"


def file_name_breaches(root):
    sources = {path: read(root, path) for path in files_of(root) if path.suffix in (".h", ".cpp") and part_of(path)}
    homes = {}
    for path, text in sorted(sources.items()):
        for name in FILE_NAME.findall(text):
            homes.setdefault(name, path)
    for path, text in sources.items():
        for number, line in enumerate(text.splitlines(), 1):
            for name in re.findall(r'"([\w.]+\.\w+)"', line.split("//")[0]):
                if name in homes and not (path == homes[name] and FILE_NAME.match(line)):
                    yield f'{path}:{number}: "{name}" has its name in {homes[name]}'


def pair_breaches(root):
    for path in files_of(root):
        if path.suffix != ".cpp" or not part_of(path):
            continue
        # CMake compiles x.cpp or x_absent.cpp, which has nothing to call; both implement x.h.
        header = path.with_name(path.stem.removesuffix("_absent") + ".h")
        excepted = any(pattern.fullmatch(str(path)) for pattern in WITHOUT_HEADER)
        if not excepted and not (root / header).is_file():
            yield f"{path}:1: expected {header} beside it"


def expanded(path):
    """a/{b,c}.h as a/b.h and a/c.h."""
    parts = [part.split(",") for part in re.split(r"[{}]", path)]
    for place in range(0, len(parts), 2):
        parts[place] = [",".join(parts[place])]
    return ["".join(choice) for choice in itertools.product(*parts)]


def paths_named_in(page, line):
    """What a line of Markdown names of this repository: in links and, in backticks, from its root."""
    for target in LINK.findall(line):
        target = target.split("#")[0]
        if target and ":" not in target:
            yield str(page.parent / target)
    for word in " ".join(CODE_SPAN.findall(line)).split():
        named = OWN_PATH.fullmatch(word.rstrip(".,:;"))
        if named and not PLACEHOLDER.search(named.group(1)):
            yield from expanded(named.group(1))


def path_breaches(root):
    for page in files_of(root):
        if page.suffix == ".md" and not str(page).startswith(HISTORY):
            for number, line in enumerate(read(root, page).splitlines(), 1):
                for named in paths_named_in(page, line):
                    # core/nn/rope stands for the module.
                    ends = ("", ".h", ".cpp", ".py")
                    if not any((root / (named.rstrip("/") + end)).exists() for end in ends):
                        yield f"{page}:{number}: no file or folder {named}"


def parameters_of(head):
    """What stands in the round brackets of a function's head; None for another kind of head."""
    head = OPERATOR.sub(blanked, head)
    depth, start = 0, 0
    for at, mark in enumerate(head):
        if mark in "([{<":
            depth += 1
            start = at if depth == 1 else start
        elif mark in ")]}>":
            depth -= 1
            if depth == 0 and mark == ")" and not NO_NAME.search(head[:start]):
                return None if ASSIGNMENT.search(head[:start]) else head[start + 1 : at]
    return None


def number_of(parameters):
    depth, commas = 0, 0
    for mark in OPERATOR.sub(blanked, parameters):
        depth += (mark in "([{<") - (mark in ")]}>")
        commas += mark == "," and depth == 0
    return commas + 1 if parameters.strip() else 0


def closing_brace(code, opening):
    depth = 0
    for at in range(opening, len(code)):
        depth += (code[at] == "{") - (code[at] == "}")
        if depth == 0:
            return at
    return len(code) - 1


def functions_of(code):
    """(start, opening brace, closing brace, parameters) of each function that has a body.

    Lambdas and local classes are part of the function around them.
    """
    start = at = 0
    while at < len(code):
        if code[at] in ";}":
            start = at + 1
        elif code[at] == "{":
            head = TEMPLATE.sub(blanked, code[start:at])
            parameters = parameters_of(head)
            # `: a_{a}` before the body
            initialises = MEMBER_INITIALISER.search(head) and head.rstrip()[-1] not in ")}"
            if SCOPE.match(head):
                start = at + 1
            else:
                end = closing_brace(code, at)
                if parameters is not None and not initialises:
                    yield ACCESS.match(code, start).end(), at, end, parameters
                    start = end + 1
                at = end
        at += 1


def function_breaches(root):
    for path in files_of(root):
        if path.suffix not in (".h", ".cpp") or not part_of(path):
            continue
        text = read(root, path)
        code = DIRECTIVE.sub(blanked, code_of(text))
        for start, opening, closing, parameters in functions_of(code):
            first, count = code.count("\n", 0, start) + 1, number_of(parameters)
            body, lines = code.count("\n", 0, opening) + 1, code.count("\n", opening, closing)
            beside = "\n".join(text.splitlines()[max(0, first - 2) : body])
            if SIZE_REASON.search(beside):
                continue
            if lines > MOST_LINES:
                yield f"{path}:{first}: a function of {lines} lines without a reason beside it"
            if count > MOST_PARAMETERS:
                yield f"{path}:{first}: {count} parameters without a reason beside them"


RULES = (
    include_breaches,
    guard_breaches,
    glob_breaches,
    unfinished_breaches,
    exit_breaches,
    stream_breaches,
    path_query_breaches,
    protocol_breaches,
    crowd_breaches,
    file_name_breaches,
    pair_breaches,
    path_breaches,
    function_breaches,
)


def breaches(root):
    return [breach for rule in RULES for breach in rule(pathlib.Path(root))]
