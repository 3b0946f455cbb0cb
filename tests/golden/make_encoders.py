#!/usr/bin/env python3
"""Writes encoders/: tiny random sentence encoders (BERT and MPNet with WordPiece, XLM-RoBERTa with SentencePiece, trained or
drawn here on sentences of our own), and the ids and embeddings that transformers gives (golden.json of each).

    python3 -m venv /tmp/golden && /tmp/golden/bin/pip install torch==2.11.0 transformers==5.23.0 sentencepiece==0.2.3
    /tmp/golden/bin/python tests/golden/make_encoders.py [--model FOLDER --out FILE]

With --model only the golden file of another folder's encoder is written, to compare with models that are not kept here.
"""
import argparse
import json
import pathlib
import shutil
import tempfile

import sentencepiece
import torch
import transformers
from make_nllb import SENTENCES
from transformers import (AutoModel, AutoTokenizer, BertConfig, BertModel, BertTokenizer, MPNetConfig, MPNetModel, MPNetTokenizer,
                          XLMRobertaConfig, XLMRobertaModel)

assert transformers.__version__ == "5.23.0", transformers.__version__
assert torch.__version__.startswith("2.11.0"), torch.__version__
assert sentencepiece.__version__ == "0.2.3", sentencepiece.__version__
FOLDER = pathlib.Path(__file__).with_name("encoders")
TEXTS = SENTENCES[:14] + [
    "", " ", "Hello, World!", "ÉTÉ déjà vu", "İstanbul'da köprü", "旧桥 bridge桥", "a\u0000b\u200bc\ufffdd\te\n",
    "x" * 101, "co-operate 3.14 $5 ~^", "[SEP] and [MASK]", "</s> and <mask>", "unknown ☃ ΩΩ 👍🏽", "e\u0301te\u0301 ﬁn", "हिन्दी पुल",
    "The bridge " * 40,
]


def wordpiece_vocab():
    """Letters of the sentences, and their words and endings where these are short."""
    words = sorted({w.strip(".,?¿!").lower() for s in SENTENCES for w in s.split() if len(w) < 9 and w.isascii()})
    letters = sorted({c for s in SENTENCES for c in s.lower() if not c.isspace()} | set("hello,world!-$~^'xdvuijé"))
    return (["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"] + letters + [w for w in words if len(w) > 1]
            + ["##" + c for c in letters if c.isalnum()] + ["##ed", "##er", "##ing", "##ge"])


def disturb(model):
    for parameter in model.parameters():
        if parameter.dim() == 1:
            parameter.data += 0.2 * torch.randn_like(parameter)
    return model.eval()


def modules(folder, pooling, normalize):
    rows = [("Transformer", ""), ("Pooling", "1_Pooling")] + ([("Normalize", "2_Normalize")] if normalize else [])
    (folder / "modules.json").write_text(json.dumps([
        {"idx": i, "name": str(i), "path": path, "type": f"sentence_transformers.models.{name}"}
        for i, (name, path) in enumerate(rows)], indent=1) + "\n")
    (folder / "1_Pooling").mkdir(exist_ok=True)
    (folder / "1_Pooling" / "config.json").write_text(json.dumps(
        {"word_embedding_dimension": 24, "pooling_mode_cls_token": pooling == "cls",
         "pooling_mode_mean_tokens": pooling == "mean"}, indent=1) + "\n")


def make_bert(folder):
    (folder / "vocab.txt").write_text("\n".join(wordpiece_vocab()) + "\n", encoding="utf-8")
    tokenizer = BertTokenizer.from_pretrained(folder)
    torch.manual_seed(3)
    config = BertConfig(vocab_size=len(tokenizer), hidden_size=24, num_hidden_layers=2, num_attention_heads=4,
                        intermediate_size=40, max_position_embeddings=64, initializer_range=0.3)
    disturb(BertModel(config, add_pooling_layer=False)).save_pretrained(folder)
    with tempfile.TemporaryDirectory() as name:
        tokenizer.save_pretrained(name)
        shutil.copy(pathlib.Path(name) / "tokenizer.json", folder)
    modules(folder, "mean", True)
    (folder / "sentence_bert_config.json").write_text(json.dumps({"max_seq_length": 48, "do_lower_case": False}) + "\n")
    write_golden(folder, folder / "golden.json", tokenizer, 48, "mean", True)


def make_xlmr(folder):
    with tempfile.TemporaryDirectory() as name:
        work = pathlib.Path(name)
        rules = [f"{code:X}\t20" for code in (0x9, 0xA, 0xD, 0xA0, 0x3000)] + ["65 301\tE9", "200B\t"]
        (work / "rules.tsv").write_text("\n".join(rules) + "\n")
        (work / "text.txt").write_text("\n".join(SENTENCES * 3) + "\n", encoding="utf-8")
        sentencepiece.SentencePieceTrainer.train(
            input=str(work / "text.txt"), model_prefix=str(work / "p"), model_type="unigram", vocab_size=175,
            character_coverage=0.995, normalization_rule_tsv=str(work / "rules.tsv"), minloglevel=2)
        shutil.copy(work / "p.model", folder / "sentencepiece.bpe.model")
    tokenizer = transformers.XLMRobertaTokenizer.from_pretrained(folder)
    torch.manual_seed(4)
    config = XLMRobertaConfig(vocab_size=len(tokenizer), hidden_size=24, num_hidden_layers=2, num_attention_heads=3,
                              intermediate_size=40, max_position_embeddings=66, initializer_range=0.3, type_vocab_size=1,
                              layer_norm_eps=1e-5, pad_token_id=1, bos_token_id=0, eos_token_id=2)
    disturb(XLMRobertaModel(config, add_pooling_layer=False)).save_pretrained(folder)
    modules(folder, "cls", False)
    write_golden(folder, folder / "golden.json", tokenizer, 64, "cls", False)


def make_mpnet(folder):
    """Longer than the others: distances from 16 on share buckets that grow, up to 128."""
    vocab = ["<s>", "<pad>", "</s>", "<unk>"] + wordpiece_vocab() + ["<mask>"]
    (folder / "vocab.txt").write_text("\n".join(vocab) + "\n", encoding="utf-8")
    tokenizer = MPNetTokenizer.from_pretrained(folder)
    torch.manual_seed(5)
    config = MPNetConfig(vocab_size=len(tokenizer), hidden_size=24, num_hidden_layers=2, num_attention_heads=4,
                         intermediate_size=40, max_position_embeddings=202, initializer_range=0.3, layer_norm_eps=1e-5)
    disturb(MPNetModel(config, add_pooling_layer=False)).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    # As on the model hub: what the file alone says.
    (folder / "tokenizer_config.json").unlink()
    modules(folder, "cls", False)
    (folder / "sentence_bert_config.json").write_text(json.dumps({"max_seq_length": 200, "do_lower_case": False}) + "\n")
    texts = ["<pad> in a <pad>text", "a <s>b</s> <unk> <mask>", "the old bridge " * 66]
    write_golden(folder, folder / "golden.json", tokenizer, 200, "cls", False, texts)
    write_golden(folder, folder / "golden_mean.json", tokenizer, 200, "mean", True, texts)


def write_golden(folder, path, tokenizer, limit, pooling, normalize, more_texts=()):
    model = AutoModel.from_pretrained(folder).eval()
    texts = TEXTS + list(more_texts)
    batch = tokenizer(texts, padding="longest", truncation=True, max_length=limit, return_tensors="pt")
    with torch.no_grad():
        hidden = model(**batch).last_hidden_state
    mask = batch["attention_mask"].unsqueeze(-1)
    rows = hidden[:, 0] if pooling == "cls" else (hidden * mask).sum(1) / mask.sum(1)
    rows = torch.nn.functional.normalize(rows, dim=1) if normalize else rows
    golden = [{"text": text, "ids": tokenizer(text, truncation=True, max_length=limit).input_ids,
               "embedding": [float(f"{x:.7g}") for x in row]} for text, row in zip(texts, rows.tolist())]
    path.write_text(json.dumps(golden, ensure_ascii=False) + "\n", encoding="utf-8")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--model", type=pathlib.Path)
    parser.add_argument("--out", type=pathlib.Path)
    given = parser.parse_args()
    if given.model:
        limit = json.loads((given.model / "sentence_bert_config.json").read_text())["max_seq_length"]
        write_golden(given.model, given.out, AutoTokenizer.from_pretrained(given.model), limit, "mean", True)
        return
    for name, make in (("bert", make_bert), ("xlmr", make_xlmr), ("mpnet", make_mpnet)):
        folder = FOLDER / name
        folder.mkdir(parents=True, exist_ok=True)
        make(folder)
        for file in folder.rglob("*"):
            file.chmod(0o755 if file.is_dir() else 0o644)


if __name__ == "__main__":
    main()
