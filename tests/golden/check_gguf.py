#!/usr/bin/env python3
"""Exports a model as GGUF files and opens them with gguf-py, this program, transformers and llama.cpp.

    python tests/golden/check_gguf.py --binary build/release/launch/xkde_dist --model MODEL [--chat-template NAME] [--types F32 Q8_0]

MODEL is a Hugging Face folder or a GGUF file. A recipe exports it as a folder in fp32 and as a file of each type. Then of each file:
gguf-py decodes the bits that it makes itself of the folder's weights (K-quants, which it does not encode, are near them); this
program reads back the tokenizer, the chat template and those very weights, and answers greedily as with the folder (F32, and BF16
as with a folder of bfloat16); transformers' `gguf_file` gives logits for which each token of these answers is the likeliest; so does
llama.cpp, which rounds activations to the blocks' numbers (to bfloat16 for BF16), so that a token may be beaten by MARGIN there.
It also cuts texts into the same tokens. A line for each; exit code 1: one fails. Nothing is downloaded;
PINNED names the versions (xllamacpp has llama.cpp itself, built).
"""

import argparse
import gc
import json
import pathlib
import subprocess
import sys
import tempfile
import urllib.request
from importlib.metadata import version

import gguf
import numpy
import safetensors.torch
import torch
import transformers
import xllamacpp

PINNED = {"gguf": "0.19.0", "transformers": "5.24.0", "xllamacpp": "2026.10.11549"}
TYPES = ("F32", "BF16", "Q8_0", "Q4_0", "Q4_K_M")
QUESTIONS = ["What is the capital of France?", "Name three colours.", "Who wrote Hamlet?", "What is 17 + 25?",
             "Say hello in German.", "Which river runs through Cairo?"]
TEXTS = ["Hello world, 123 + 456!", "Die Königin von Schweden\n\n  wohnt in 東京.", " a  b\tc\r\nd", "naïve café 😀 ไทย кот",
         "it's we'll I'VE x1y22z333", ""]
NEW_TOKENS = 16
# Square error of a K-quant's values in parts of the weights' own squares, and by how much llama.cpp's likeliest logit may beat ours.
K_ERRORS = {"Q4_K": 8e-3, "Q5_0": 4e-3, "Q5_K": 2e-3, "Q6_K": 6e-4}
MARGIN = {"F32": 1e-3, "BF16": 0.1, "Q8_0": 0.6, "Q4_0": 0.6, "Q4_K_M": 0.6}
FP32 = 1e-3  # what two orders of summation make of a logit at most


def check(name, holds, told=""):
    print(f"{name:34} {'ok' if holds else 'FAILED'}{': ' + told if told else ''}", flush=True)
    check.failed += not holds


check.failed = 0


class Program:
    def __init__(self, binary, work, chat_template):
        self.binary, self.work, self.chat_template = binary, work, chat_template
        turns = [{"conversations": [{"from": "human", "value": text}, {"from": "gpt", "value": "-"}]} for text in QUESTIONS]
        (work / "questions.json").write_text(json.dumps(turns))

    def run(self, name, model, exports=()):
        """Greedy answers to QUESTIONS as lists of token ids."""
        recipe = self.work / f"{name}.yaml"
        sample = (f"  - sample: {{train_data: {self.work}/questions.json, num_return_sequences: 1, temperature: 0, "
                  f"max_new_tokens: {NEW_TOKENS}}}\n")
        recipe.write_text(
            f"output_dir: {self.work}/{name}\n"
            f"model: {{model_name_or_path: {model}, dtype: float32, chat_template: {self.chat_template}}}\n"
            f"parallel: {{threads: 2}}\nstages:\n" + sample + "".join(f"  - export: {{{keys}}}\n" for keys in exports))
        done = subprocess.run([self.binary, recipe], capture_output=True, text=True)
        if done.returncode != 0:
            sys.exit(f"{name}: {done.stderr.strip()}")
        lines = (self.work / name / "01-sample" / "samples.jsonl").read_text().splitlines()
        return [json.loads(line)["answers"][0]["token_ids"] for line in lines]


def prompts_of(tokenizer):
    return [tokenizer.apply_chat_template([{"role": "user", "content": text}], add_generation_prompt=True, return_dict=False)
            for text in QUESTIONS]


def file_names(config):
    """Hugging Face names of tensors by GGUF names, and what a file does to their values."""
    names = gguf.get_tensor_name_map(gguf.MODEL_ARCH.GEMMA3 if config["model_type"].startswith("gemma3") else
                                     next(arch for arch, name in gguf.MODEL_ARCH_NAMES.items() if name == config["model_type"]),
                                     config["num_hidden_layers"])
    return lambda name: names.get_name(name, try_suffixes=(".weight", ".bias"))


def as_in_file(name, values, config):
    """Rows of queries and keys alternate in Llama's files; Gemma's norms are stored plus one."""
    if config["model_type"] in ("llama", "mistral") and name.endswith(("q_proj.weight", "k_proj.weight")):
        head = config["head_dim"]
        return values.reshape(-1, 2, head // 2, values.shape[-1]).swapaxes(1, 2).reshape(values.shape)
    if config["model_type"].startswith("gemma") and name.endswith("norm.weight"):
        return values + numpy.float32(1)
    return values


def check_values(kind, reader, weights, config):
    """gguf-py reads what it would have written."""
    tensors = {tensor.name: tensor for tensor in reader.tensors}
    name_of = file_names(config)
    worst, wrong, types = {}, [], {}
    for name, values in weights.items():
        tensor = tensors.pop(name_of(name))
        values = as_in_file(name, values, config)
        stored = gguf.quants.dequantize(tensor.data, tensor.tensor_type).reshape(values.shape)
        label = tensor.tensor_type.name
        types[label] = types.get(label, 0) + 1
        if label in ("F32", "BF16", "Q8_0", "Q4_0", "Q5_0", "Q5_1"):
            again = gguf.quants.dequantize(gguf.quants.quantize(values, tensor.tensor_type), tensor.tensor_type)
            if not numpy.array_equal(stored.view(numpy.uint32), again.reshape(values.shape).view(numpy.uint32)):
                wrong.append(name)
        else:
            error = float(((stored - values) ** 2).sum() / (values**2).sum())
            worst[label] = max(worst.get(label, 0), error)
    far = [f"{label} {error:.1e}" for label, error in worst.items() if error > K_ERRORS[label]]
    check(f"{kind}: gguf-py", not wrong and not far and not tensors,
          f"{types}, errors {({k: f'{v:.1e}' for k, v in worst.items()})}, wrong {wrong[:3]}, far {far}, more {list(tensors)[:3]}")


def check_round_trip(kind, program, folder, again, reader):
    one, other = (transformers.AutoTokenizer.from_pretrained(path) for path in (folder, again))
    check(f"{kind}: tokenizer read back", all(one(text).input_ids == other(text).input_ids for text in TEXTS) and
          prompts_of(one) == prompts_of(other) and one.eos_token == other.eos_token and len(one) <= len(other))
    template = (folder / "chat_template.jinja").read_text()
    said = reader.fields["tokenizer.chat_template"].contents()
    check(f"{kind}: chat template", template == said == (again / "chat_template.jinja").read_text())
    ends = [json.loads((path / "generation_config.json").read_text())["eos_token_id"] for path in (folder, again)]
    check(f"{kind}: ends of answers", ends[0] == ends[1], str(ends))


def check_weights_again(kind, reader, weights, config):
    """This program reads the values that gguf-py reads."""
    tensors = {tensor.name: tensor for tensor in reader.tensors}
    name_of = file_names(config)
    wrong = []
    for name, values in weights.items():
        tensor = tensors[name_of(name)]
        stored = gguf.quants.dequantize(tensor.data, tensor.tensor_type).reshape(values.shape)
        # One less and one more again rounds.
        plus_one = config["model_type"].startswith("gemma") and name.endswith("norm.weight")
        if numpy.abs(as_in_file(name, values, config) - stored).max() > (1e-6 if plus_one else 0):
            wrong.append(name)
    check(f"{kind}: weights read back", not wrong, str(wrong[:3]) if wrong else "")


def beaten_by(logits, prompts, answers):
    """The most that another token's logit is above that of an answer's token, and how many tokens are the likeliest."""
    worst, equal, count = 0.0, 0, 0
    for prompt, answer in zip(prompts, answers, strict=True):
        rows = logits(prompt + answer)[len(prompt) - 1:-1]
        said = rows[numpy.arange(len(answer)), answer]
        above = rows.max(axis=-1) - said
        worst, equal, count = max(worst, float(above.max())), equal + int((above == 0).sum()), count + len(answer)
    return worst, f"{equal} of {count} tokens are the likeliest, the others are beaten by {worst:.1e} at most"


def check_transformers(kind, path, prompts, answers):
    model = transformers.AutoModelForCausalLM.from_pretrained(path.parent, gguf_file=path.name, dtype=torch.float32).eval()

    def logits(ids):
        with torch.no_grad():
            return model(torch.tensor([ids])).logits[0].numpy()

    worst, told = beaten_by(logits, prompts, answers)
    check(f"{kind}: transformers", worst <= FP32, told)


class LlamaCpp:
    """llama.cpp with a file: its server, in this process."""

    def __init__(self, path):
        self.options = options = xllamacpp.CommonParams()
        options.model.path = str(path)
        options.n_ctx = options.n_batch = options.n_ubatch = 1024
        options.n_parallel = 1
        options.cpuparams.n_threads = 1  # its threads spin while they wait for each other
        # fp32 for keys and values: its own default is fp16.
        options.cache_type_k = options.cache_type_v = xllamacpp.ggml_type.GGML_TYPE_F32
        options.flash_attn_type = xllamacpp.llama_flash_attn_type.LLAMA_FLASH_ATTN_TYPE_DISABLED
        options.warmup = False
        self.server = xllamacpp.Server(options)

    def ask(self, what, body=None):
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{self.server.listening_address}/{what}", data, {"Content-Type": "application/json"})
        with urllib.request.urlopen(request) as reply:
            return json.load(reply)

    def tokens(self, text):
        return self.ask("tokenize", dict(content=text, add_special=True, parse_special=True))["tokens"]

    def beats(self, prompt, answer):
        """Of each token of an answer, by how much the likeliest logit is above it: 0 where it is that."""
        gaps = []
        while len(gaps) < len(answer):
            done = len(gaps)
            reply = self.ask("completion", dict(prompt=prompt + answer[:done], n_predict=len(answer) - done, temperature=0,
                                                n_probs=20, return_tokens=True, cache_prompt=True))
            found, same = reply["tokens"], 0
            while same < len(found) and found[same] == answer[done + same]:
                same += 1
            gaps += [0.0] * same
            if same > 0 and same == len(found):
                continue
            places = reply["completion_probabilities"][same:same + 1]  # none of a token whose text is not whole
            top = places[0]["top_logprobs"] if places else []
            ours = [place["logprob"] for place in top if place["id"] == answer[done + same]]
            gaps.append(top[0]["logprob"] - ours[0] if ours else float("inf"))
        return gaps


def check_llama_cpp(kind, path, tokenizer, prompts, answers):
    model = LlamaCpp(path)
    gaps = [gap for prompt, answer in zip(prompts, answers, strict=True) for gap in model.beats(prompt, answer)]
    check(f"{kind}: llama.cpp", max(gaps) <= MARGIN[kind],
          f"{gaps.count(0.0)} of {len(gaps)} tokens are the likeliest, the others are beaten by {max(gaps):.1e} at most")
    other = {text: (model.tokens(text), tokenizer(text).input_ids) for text in TEXTS if text}
    other = {text: ids for text, ids in other.items() if ids[0] != ids[1]}
    check(f"{kind}: llama.cpp's tokens", not other, repr(other) if other else "")
    template = (path.parents[1] / "hf" / "chat_template.jinja").read_text()
    check(f"{kind}: llama.cpp's template", model.ask("props")["chat_template"] == template)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--binary", required=True, help="xkde_dist")
    parser.add_argument("--model", required=True, type=pathlib.Path)
    parser.add_argument("--chat-template", default="auto", help="as a recipe's model.chat_template")
    parser.add_argument("--types", nargs="+", choices=TYPES, default=TYPES)
    arguments = parser.parse_args()
    for package, wanted in PINNED.items():
        if version(package) != wanted:
            sys.exit(f"expected {package} {wanted}, found {version(package)}")
    transformers.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    with tempfile.TemporaryDirectory() as folder:
        work = pathlib.Path(folder)
        program = Program(arguments.binary, work, arguments.chat_template)
        exports = [f"path: {work}/hf, dtype: float32", f"path: {work}/hf16, dtype: bfloat16"]
        exports += [f"path: {work}/{kind}, format: gguf, gguf_type: {kind}" for kind in arguments.types]
        expected = {"F32": program.run("first", arguments.model.resolve(), exports)}
        if "BF16" in arguments.types:
            expected["BF16"] = program.run("half", work / "hf16")
        config = json.loads((work / "hf" / "config.json").read_text())
        tokenizer = transformers.AutoTokenizer.from_pretrained(work / "hf")
        prompts = prompts_of(tokenizer)
        for kind in arguments.types:
            path = work / kind / "model.gguf"
            answers = program.run(f"again_{kind}", path, [f"path: {work}/{kind}_hf, dtype: float32"])
            check(f"{kind}: answers", answers == expected.get(kind, answers) and all(answers),
                  f"{sum(map(len, answers))} tokens, first {tokenizer.decode(answers[0])!r}")
            reader = gguf.GGUFReader(path)
            for where, act in (("hf", check_values), (f"{kind}_hf", check_weights_again)):
                weights = {name: tensor.numpy() for name, tensor in
                           safetensors.torch.load_file(work / where / "model.safetensors").items()}
                act(kind, reader, weights, config)
                del weights
            check_round_trip(kind, program, work / "hf", work / f"{kind}_hf", reader)
            del reader
            check_transformers(kind, path, prompts, answers)
            gc.collect()
            check_llama_cpp(kind, path, tokenizer, prompts, answers)
            gc.collect()
    return 1 if check.failed else 0


if __name__ == "__main__":
    sys.exit(main())
