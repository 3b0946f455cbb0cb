#!/usr/bin/env python3
"""Writes encoders/st6_bert and encoders/st6_xlmr: the encoders of encoders/bert and encoders/xlmr as sentence-transformers 6 saves them
(length and lower-casing where it keeps them, prompts, tokenizer.json alone), without their weights, which are those of the first two,
and the embeddings that it gives (golden.json: encode, encode_query and encode_document).

    python3 -m venv /tmp/golden && /tmp/golden/bin/pip install torch==2.11.0 transformers==5.24.0 sentencepiece==0.2.3 \\
        sentence-transformers==6.2.0
    /tmp/golden/bin/python tests/golden/make_sentence_transformers.py
"""
import json
import pathlib
import shutil

import sentence_transformers
import torch
import transformers
from sentence_transformers import SentenceTransformer
from sentence_transformers.base.modules import Normalize, Transformer
from sentence_transformers.sentence_transformer.modules import Pooling

assert sentence_transformers.__version__ == "6.2.0", sentence_transformers.__version__
assert transformers.__version__ == "5.24.0", transformers.__version__
assert torch.__version__.startswith("2.11.0"), torch.__version__
FOLDER = pathlib.Path(__file__).with_name("encoders")
TEXTS = ["The old bridge of Velquin stands since 1887.", "Die alte Brücke", "el río cruza el puente viejo", "ÉTÉ déjà vu", "",
         "旧桥 bridge桥", "two  blanks and a tab\tand more", " begins and ends with a blank ", "unknown ☃ ΩΩ 👍🏽",
         "The bridge " * 20]


def save(name, weights, pooling, limit, prompts, default):
    body = Transformer(str(FOLDER / weights), max_seq_length=limit)
    model = SentenceTransformer(modules=[body, Pooling(24, pooling_mode=pooling), Normalize()], prompts=prompts,
                                default_prompt_name=default, device="cpu")
    folder = FOLDER / name
    shutil.rmtree(folder, ignore_errors=True)
    model.save(str(folder), create_model_card=False)
    model = SentenceTransformer(str(folder), device="cpu")
    golden = {"texts": TEXTS}
    for role, encode in (("text", model.encode), ("query", model.encode_query), ("document", model.encode_document)):
        golden[role] = [[float(f"{x:.7g}") for x in row] for row in encode(TEXTS, batch_size=1).tolist()]
    (folder / "golden.json").write_text(json.dumps(golden, ensure_ascii=False) + "\n", encoding="utf-8")
    (folder / "model.safetensors").unlink()
    for file in folder.rglob("*"):
        file.chmod(0o755 if file.is_dir() else 0o644)


def main():
    save("st6_bert", "bert", "mean", 12, {"query": "frage: ", "text": "text: "}, "text")
    save("st6_xlmr", "xlmr", "cls", 40, {"query": "", "passage": "passage: "}, None)


if __name__ == "__main__":
    main()
