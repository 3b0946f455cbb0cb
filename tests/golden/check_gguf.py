#!/usr/bin/env python3
"""Exports a model as GGUF files and opens them with gguf-py, this program, transformers and llama.cpp.

    python tests/golden/check_gguf.py --binary build/release/launch/xkde_dist --model MODEL [--chat-template NAME] [--types F32 Q8_0]

MODEL is a Hugging Face folder or a GGUF file. A recipe exports it as a folder in fp32 and as a file of each type. Then of each file:
llama.cpp's quantizer makes the same bytes of the folder's weights (K-quants, which it searches for as this program does in its own
way, have an error no larger than K_ERROR times that of its own); this program reads back the tokenizer, the chat template and the
weights that gguf-py decodes, and answers greedily as with the folder (F32, and BF16 as with a folder of bfloat16); transformers'
`gguf_file` gives logits for which each token of these answers is the likeliest. So does llama.cpp with a file of fp32 that this program
writes of the decoded weights. With the file itself llama.cpp rounds activations, too (to bfloat16 for BF16, to blocks of 8 bits for
blocks). The same tokens are the likeliest there as often as in transformers when the inputs of its products are rounded like that, less
three standard deviations of such a count. llama.cpp also cuts texts into the same tokens, and finds the chat template. A MODEL that is a
GGUF file is asked by llama.cpp as it is, too. A line for each; exit code 1: one fails. Nothing is downloaded; PINNED names the versions
(xllamacpp has llama.cpp itself, built).
"""

import argparse
import ctypes
import gc
import json
import pathlib
import shutil
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
K_ERROR = 1.0
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


def quantizer():
    """llama.cpp's: bytes of a matrix in a type."""
    chunk = ctypes.CDLL(sys.modules["xllamacpp.xllamacpp"].__file__).ggml_quantize_chunk
    chunk.restype = ctypes.c_size_t
    chunk.argtypes = [ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int64, ctypes.c_int64, ctypes.c_int64, ctypes.c_void_p]

    def quantize(values, kind):
        values = numpy.ascontiguousarray(values)
        columns = values.shape[-1]
        block, size = gguf.GGML_QUANT_SIZES[kind]
        out = numpy.zeros(values.size // block * size, numpy.uint8)
        written = chunk(int(kind), values.ctypes.data, out.ctypes.data, 0, values.size // columns, columns, None)
        if written != out.size:
            sys.exit(f"{kind.name}: llama.cpp wrote {written} bytes for {out.size}")
        return out

    return quantize


def square_error(stored, values):
    return float(((stored - values) ** 2).sum(dtype=numpy.float64))


def check_values(kind, reader, weights, config):
    """The file has the bytes that llama.cpp's quantizer makes, or of K-quants values as near to the weights."""
    tensors = {tensor.name: tensor for tensor in reader.tensors}
    name_of, quantize = file_names(config), quantizer()
    errors, wrong, types = {}, [], {}
    for name, values in weights.items():
        tensor = tensors.pop(name_of(name))
        values = as_in_file(name, values, config)
        label = tensor.tensor_type.name
        types[label] = types.get(label, 0) + 1
        theirs = quantize(values, tensor.tensor_type)
        if not label.endswith("_K"):
            wrong += [] if numpy.array_equal(theirs, tensor.data.reshape(-1).view(numpy.uint8)) else [name]
            continue
        theirs = theirs.reshape(tensor.data.shape)
        decoded = [gguf.quants.dequantize(data, tensor.tensor_type).reshape(values.shape) for data in (tensor.data, theirs)]
        sums = errors.setdefault(label, [0.0, 0.0])
        sums[:] = [total + square_error(one, values) for total, one in zip(sums, decoded)]
    ratios = {label: ours / theirs for label, (ours, theirs) in errors.items()}
    check(f"{kind}: llama.cpp's quantizer", not wrong and not tensors and all(ratio <= K_ERROR for ratio in ratios.values()),
          f"{types}, errors {({label: f'{ratio:.4f}' for label, ratio in ratios.items()})} of its own, wrong {wrong[:3]}, "
          f"more {list(tensors)[:3]}")


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


def gaps_of(logits, prompts, answers):
    """Of each token of the answers, by how much the likeliest logit is above its own: 0 where it is that."""
    gaps = []
    for prompt, answer in zip(prompts, answers, strict=True):
        rows = logits(prompt + answer)[len(prompt) - 1:-1]
        gaps += (rows.max(axis=-1) - rows[numpy.arange(len(answer)), answer]).tolist()
    return gaps


def told_of(gaps):
    return f"{gaps.count(0.0)} of {len(gaps)} tokens are the likeliest, the others are beaten by {max(gaps):.1e} at most"


def rounded(values, kind):
    """As llama.cpp rounds what it multiplies with weights of a file of `kind`, fp32 [..., columns]."""
    if kind == "F32":
        return values
    if kind == "BF16":
        return values.bfloat16().float()
    blocks = gguf.quants.quantize(values.numpy(), gguf.GGMLQuantizationType.Q8_0)
    return torch.from_numpy(gguf.quants.dequantize(blocks, gguf.GGMLQuantizationType.Q8_0).reshape(values.shape))


def check_transformers(kind, path, prompts, answers):
    """Returns what is left when activations are rounded: the gaps of `kind`, and those of blocks of 8 bits."""
    model = transformers.AutoModelForCausalLM.from_pretrained(path.parent, gguf_file=path.name, dtype=torch.float32).eval()

    def logits(ids):
        with torch.no_grad():
            return model(torch.tensor([ids])).logits[0].numpy()

    gaps = gaps_of(logits, prompts, answers)
    check(f"{kind}: transformers", max(gaps) <= FP32, told_of(gaps))
    if kind == "F32":
        kind = "Q8_0"  # of the file that MODEL is
    for module in model.modules():
        if isinstance(module, torch.nn.Linear):
            module.register_forward_pre_hook(lambda _, inputs: (rounded(inputs[0], kind),))
    return gaps_of(logits, prompts, answers)


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


def check_exactly(kind, path, prompts, answers):
    """llama.cpp with a file of fp32, where nothing is rounded."""
    model = LlamaCpp(path)
    gaps = [gap for prompt, answer in zip(prompts, answers, strict=True) for gap in model.beats(prompt, answer)]
    check(f"{kind}: llama.cpp, decoded", max(gaps) <= FP32, told_of(gaps))


def check_rounding(kind, model, prompts, answers, rounded_gaps):
    gaps = [gap for prompt, answer in zip(prompts, answers, strict=True) for gap in model.beats(prompt, answer)]
    count = len(gaps)
    share = (rounded_gaps.count(0.0) + 1) / (count + 2)  # Laplace's: never 0 or 1
    least = rounded_gaps.count(0.0) - 3 * (2 * share * (1 - share) * count) ** 0.5
    check(f"{kind}: llama.cpp", gaps.count(0.0) >= least,
          f"{told_of(gaps)}; rounded in transformers {rounded_gaps.count(0.0)}, at least {least:.1f} expected")


def check_llama_cpp(kind, path, tokenizer, prompts, answers, rounded_gaps):
    model = LlamaCpp(path)
    if kind != "F32":
        check_rounding(kind, model, prompts, answers, rounded_gaps)
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
            answers = program.run(f"again_{kind}", path, [f"path: {work}/{kind}_hf, dtype: float32",
                                                          f"path: {work}/{kind}_decoded, format: gguf, gguf_type: F32"])
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
            rounded_gaps = check_transformers(kind, path, prompts, answers)
            gc.collect()
            check_exactly(kind, work / f"{kind}_decoded" / "model.gguf", prompts, answers)
            check_llama_cpp(kind, path, tokenizer, prompts, answers, rounded_gaps)
            if kind == "F32" and arguments.model.is_file():
                check_rounding(arguments.model.name, LlamaCpp(arguments.model), prompts, answers, rounded_gaps)
            for name in (f"{kind}_hf", f"{kind}_decoded"):
                shutil.rmtree(work / name)
            gc.collect()
    return 1 if check.failed else 0


if __name__ == "__main__":
    sys.exit(main())
