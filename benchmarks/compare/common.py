"""What the comparisons share: benchmark rows, prompts, the data order, and runs of xkde_dist."""
import json
import os
import pathlib
import statistics
import subprocess
import tempfile

LANGUAGES = {  # ISO code: (name in a prompt, MzsRE's code)
    "en": ("English", "en"), "cs": ("Czech", "cz"), "de": ("German", "de"), "nl": ("Dutch", "du"),
    "es": ("Spanish", "es"), "fr": ("French", "fr"), "pt": ("Portuguese", "pt"), "ru": ("Russian", "ru"),
    "th": ("Thai", "th"), "tr": ("Turkish", "tr"), "vi": ("Vietnamese", "vi"), "zh": ("Chinese", "zh")}


def mpi_environment(threads=None):
    """The variables of a process that may be mpirun: root may start it, too. `threads`: of a rank; none: as they are."""
    environment = os.environ | {"OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1"}
    return environment if threads is None else environment | {"OMP_NUM_THREADS": str(threads)}


def iso_of(code):
    for iso, (_, own) in LANGUAGES.items():
        if code in (iso, own):
            return iso
    raise SystemExit(f"language: expected one of {', '.join(LANGUAGES)}, found {code}")


def data_file(data, test):
    """`data` itself, or the file of a folder for English edits asked in `test`."""
    data = pathlib.Path(data)
    if data.is_file():
        return data
    iso = iso_of(test)
    codes = {iso, LANGUAGES[iso][1]}
    names = [f"zsre_test_{c}.json" for c in codes] + ["bizsre_test.json"]
    found = [data / n for n in names if (data / n).is_file()]
    found += [f for c in codes for f in data.glob(f"*_en{c}.json")]
    if not found:
        raise SystemExit(f"{data}: no file for English -> {LANGUAGES[iso][0]}")
    return found[0]


def load_rows(data, edit, test, first):
    """The first rows that have both languages: (position, edit side, test side)."""
    file = data_file(data, test)
    rows = []
    for position, row in enumerate(json.loads(file.read_text(encoding="utf-8"))):
        sides = {iso_of(code): side for code, side in row.items()
                 if any(code in (iso, own) for iso, (_, own) in LANGUAGES.items())}
        if edit in sides and test in sides:
            rows.append((position, sides[edit], sides[test]))
    return rows[:first]


def portability(side):
    if "port" in side:
        return side["port"], side["port_ans"]
    probe = side.get("portability") or {}
    return (probe["New Question"], probe["New Answer"]) if probe else None


def edit_prompt(edit_side, question, test):
    """The XE-IT prompt (protocol 2.1) with one fact."""
    return (f"Please acknowledge the updated information provided below and respond to the subsequent query in "
            f"{LANGUAGES[test][0]}.\n\n[Updated Information]:\n{edit_side['src']} {edit_side['alt']}\n\n"
            f"[Query]:\n{question}")


class RandomStream:
    """The random numbers of xkde_dist that (seed, name, index) names (core/base/rng.h: SplitMix64)."""

    MASK = (1 << 64) - 1

    def __init__(self, seed, name, index=0):
        hashed = 0xCBF29CE484222325
        for byte in name.encode():
            hashed = ((hashed ^ byte) * 0x100000001B3) & self.MASK
        self.state = seed & self.MASK
        self.state = self.following() ^ hashed
        self.state = self.following() ^ index
        self.following()

    def following(self):
        self.state = (self.state + 0x9E3779B97F4A7C15) & self.MASK
        z = self.state
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & self.MASK
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & self.MASK
        return z ^ (z >> 31)

    def below(self, bound):
        limit = self.MASK - self.MASK % bound
        value = self.following()
        while value >= limit:
            value = self.following()
        return value % bound

    def uniform(self):
        return (self.following() >> 11) * 2.0 ** -53


def data_order(seed, epoch, n):
    """The order in which xkde_dist visits n samples."""
    stream, order = RandomStream(seed, "data_order", epoch), list(range(n))
    for i in range(n, 1, -1):
        j = stream.below(i)
        order[i - 1], order[j] = order[j], order[i - 1]
    return order


class Product:
    """Runs xkde_dist on a recipe, each time in a fresh folder, and reads what it reports of itself."""

    def __init__(self, binary, threads, ranks):
        self.binary, self.threads, self.ranks = str(pathlib.Path(binary).resolve()), threads, ranks

    def run(self, recipe):
        """`recipe` without output_dir; gives the folder object (keep it while reading) and its path."""
        folder = tempfile.TemporaryDirectory(prefix="xkde_compare_")
        path = pathlib.Path(folder.name)
        file = path / "recipe.yaml"
        # JSON is YAML's flow style.
        file.write_text(json.dumps(recipe | {"output_dir": str(path / "run")}, indent=1, ensure_ascii=False),
                        encoding="utf-8")
        command = [self.binary, str(file)]
        if self.ranks > 1:
            command = ["mpirun", "--oversubscribe", "--bind-to", "none", "-n", str(self.ranks)] + command
        done = subprocess.run(command, env=mpi_environment(self.threads), capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise SystemExit(f"{' '.join(command)}: exit code {done.returncode}\n{done.stderr[-2000:]}")
        return folder, path / "run"


def load_model(model, dtype):
    """A Hugging Face model with plain weights; packed ones would compare another computation."""
    import transformers
    transformers.utils.logging.disable_progress_bar()
    loaded = transformers.AutoModelForCausalLM.from_pretrained(model, dtype=dtype)
    if getattr(loaded.config, "quantization_config", None) is not None:
        raise SystemExit(f"{model}: config.json names a quantization_config; save the model with plain weights")
    return loaded


def json_lines(file):
    with open(file, encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def alternate(rounds, sides):
    """Runs the named sides in turn, the order swapped each round; gives {name: [result of each round]}."""
    results = {name: [] for name in sides}
    for index in range(rounds):
        names = list(sides) if index % 2 == 0 else list(sides)[::-1]
        for name in names:
            results[name].append(sides[name]())
    return results


def speed_report(results):
    """Medians over the rounds of (samples, seconds) pairs, and how many times faster xkde_dist is."""
    report = {}
    for name, rounds in results.items():
        report[f"{name}_samples_per_second"] = round(statistics.median(s / t for s, t in rounds), 3)
        report[f"{name}_seconds"] = [round(t, 3) for _, t in rounds]
    if {"hf", "xkde"} <= results.keys():
        report["ratio"] = round(report["xkde_samples_per_second"] / report["hf_samples_per_second"], 3)
    return report


def add_common_arguments(parser):
    parser.add_argument("--binary", help="xkde_dist; without it only the Hugging Face side runs")
    parser.add_argument("--model", required=True, help="Hugging Face folder of a ChatML model")
    parser.add_argument("--data", required=True, help="benchmark folder or file")
    parser.add_argument("--benchmark", default="bmike53", choices=["bmike53", "mzsre", "bizsre"])
    parser.add_argument("--edit", default="en", help="edit language")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=os.cpu_count(), help="of each side, all ranks together")
    parser.add_argument("--ranks", type=int, default=1, help="of xkde_dist; threads are shared out among them")
    parser.add_argument("--dtype", nargs="+", default=["float32", "bfloat16"], choices=["float32", "bfloat16"])


def check_arguments(options):
    """--data as a folder of pairs is read here for English edits only."""
    if pathlib.Path(options.data).is_dir() and iso_of(options.edit) != "en":
        raise SystemExit("--data: give the file of the pair when the edit language is not English")


def product_of(options):
    if options.binary is None:
        return None
    return Product(options.binary, max(1, options.threads // options.ranks), options.ranks)


def base_recipe(options, dtype):
    return {"run_name": "compare", "seed": 42,
            "model": {"model_name_or_path": str(pathlib.Path(options.model).resolve()), "dtype": dtype,
                      "chat_template": "auto"}}
