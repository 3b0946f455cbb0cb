#!/usr/bin/env python3
"""Writes nllb/: a tiny random M2M-100 model, a tiny SentencePiece model trained here on sentences of our own, and what
transformers makes of them (golden.json: token ids, losses of label tokens in one padded batch).

    python3 -m venv /tmp/golden && /tmp/golden/bin/pip install torch==2.11.0 transformers==5.23.0 sentencepiece==0.2.3
    /tmp/golden/bin/python tests/golden/make_nllb.py
"""
import json
import pathlib
import shutil
import tempfile

import sentencepiece
import torch
import transformers
from transformers import M2M100Config, M2M100ForConditionalGeneration, NllbTokenizer

assert transformers.__version__ == "5.23.0", transformers.__version__
assert torch.__version__.startswith("2.11.0"), torch.__version__
assert sentencepiece.__version__ == "0.2.3", sentencepiece.__version__
FOLDER = pathlib.Path(__file__).with_name("nllb")
LANGUAGES = ["ces_Latn", "deu_Latn", "eng_Latn", "fra_Latn", "nld_Latn", "por_Latn", "rus_Cyrl", "spa_Latn",
             "tha_Thai", "tur_Latn", "vie_Latn", "zho_Hans"]
SENTENCES = [
    "The old bridge over the river Lomba was built in 1911.", "Who built the bridge of Velia?",
    "The singer was born in a small town and moved to the capital.", "A train runs north along the river.",
    "El puente viejo sobre el río fue construido en 1911.", "¿Quién construyó el puente de Velia?",
    "Der alte Zug fährt über die Brücke nach Norden.", "Le vieux pont sur la rivière fut bâti en été.",
    "Старый мост через реку построен в 1911 году.", "Певица родилась в маленьком городе.",
    "这座旧桥建于1911年。", "河流从北向南流过村庄。", "สะพานเก่าข้ามแม่น้ำสร้างขึ้นในปี 1911",
    "Stará řeka teče údolím k mostu.", "Cây cầu cũ được xây năm 1911.", "De oude brug over de rivier.",
    "A velha ponte sobre o rio.", "Eski köprü nehrin üzerinde.",
]
# Letters that the trained model has never seen, white space of every kind, special tokens spelled out.
TEXTS = [
    ("eng_Latn", "The bridge was built in 1911."), ("spa_Latn", "¿Quién construyó el puente?"),
    ("deu_Latn", "Die Brücke führt über den Fluß"), ("rus_Cyrl", "Мост построен в 1912 году"),
    ("zho_Hans", "旧桥建于1911年。"), ("zho_Hans", "ＡＢＣ　全角"), ("tha_Thai", "สะพานเก่า สร้างในปี 1911"),
    ("ces_Latn", "řeka Lomba"), ("vie_Latn", "Cây cầu cũ"), ("tur_Latn", "köprü nehrin"), ("eng_Latn", ""),
    ("eng_Latn", " leading"), ("eng_Latn", "trailing "), ("eng_Latn", "two  spaces"), ("eng_Latn", "   "),
    ("eng_Latn", "line\nbreak\tand tab\n"), ("eng_Latn", "ΩΩΩ and 👍🏽"), ("fra_Latn", "e\u0301te\u0301 d'été"),
    ("eng_Latn", "a</s>b"), ("eng_Latn", "from eng_Latn to zho_Hans"), ("eng_Latn", "the <mask> was"),
    ("eng_Latn", "zero\u200bwidth\u00a0space"), ("eng_Latn", "<pad><unk>"), ("por_Latn", "A velha ponte"),
]
LONG = "The old bridge over the river. "
PAIRS = [
    ("zho_Hans", "旧桥建于1911年。", "eng_Latn", "The bridge was built in 1911."), ("zho_Hans", "1911", "eng_Latn", "1911"),
    ("spa_Latn", "El puente viejo", "eng_Latn", "The old bridge over the river Lomba was built long ago, in 1911."),
    ("eng_Latn", "A train runs north along the river to Velia, and then to the capital.", "rus_Cyrl", "Мост"),
    ("tha_Thai", "สะพานเก่าข้ามแม่น้ำ", "deu_Latn", "Die alte Brücke"), ("eng_Latn", "", "fra_Latn", ""),
]


def train_pieces(folder):
    """BPE of 320 pieces; a small rule of normalization keeps the file small (the usual one has 200 KB)."""
    rules = [f"{code:X}\t20" for code in (0x9, 0xA, 0xD, 0xA0, 0x3000)]
    rules += [f"{0xFF01 + i:X}\t{0x21 + i:X}" for i in range(94)] + ["65 301\tE9", "200B\t"]
    (folder / "rules.tsv").write_text("\n".join(rules) + "\n")
    (folder / "text.txt").write_text("\n".join(SENTENCES * 3) + "\n", encoding="utf-8")
    sentencepiece.SentencePieceTrainer.train(
        input=str(folder / "text.txt"), model_prefix=str(folder / "sentencepiece.bpe"), model_type="bpe", vocab_size=320,
        character_coverage=0.995, normalization_rule_tsv=str(folder / "rules.tsv"), minloglevel=2)
    shutil.copy(folder / "sentencepiece.bpe.model", FOLDER)


def encode(tokenizer, language, text):
    tokenizer.src_lang = language
    return tokenizer(text, truncation=True, max_length=512).input_ids


def tiny_model(tokenizer):
    torch.manual_seed(11)
    config = M2M100Config(
        vocab_size=len(tokenizer) + 2, d_model=24, encoder_layers=2, decoder_layers=2, encoder_attention_heads=4,
        decoder_attention_heads=3, encoder_ffn_dim=40, decoder_ffn_dim=32, max_position_embeddings=64, init_std=0.3)
    model = M2M100ForConditionalGeneration(config).eval()
    for name, parameter in model.named_parameters():  # biases and norms that do something
        if parameter.dim() == 1:
            parameter.data += 0.2 * torch.randn_like(parameter)
    return model


def losses_of(model, sources, labels):
    def padded(rows):
        return torch.tensor([row + [1] * (max(map(len, rows)) - len(row)) for row in rows])

    def mask(rows):
        return torch.tensor([[1] * len(row) + [0] * (max(map(len, rows)) - len(row)) for row in rows])

    with torch.no_grad():
        logits = model(input_ids=padded(sources), attention_mask=mask(sources),
                       decoder_input_ids=padded([[2] + row[:-1] for row in labels])).logits
    log_p = torch.log_softmax(logits.double(), -1)
    return [[-log_p[i, j, token].item() for j, token in enumerate(row)] for i, row in enumerate(labels)]


def main():
    FOLDER.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        train_pieces(folder)
        tokenizer = NllbTokenizer.from_pretrained(FOLDER, extra_special_tokens=LANGUAGES)
        tokenizer.save_pretrained(folder)
        model = tiny_model(tokenizer)
        model.save_pretrained(folder)
        for file in ("tokenizer.json", "config.json", "model.safetensors"):
            shutil.copy(folder / file, FOLDER)
    sources = [encode(tokenizer, language, text) for language, text, _, _ in PAIRS]
    labels = [encode(tokenizer, language, text) for _, _, language, text in PAIRS]
    golden = {
        "tokens": [{"language": l, "text": t, "times": 1, "ids": encode(tokenizer, l, t)} for l, t in TEXTS]
        + [{"language": "eng_Latn", "text": LONG, "times": 80, "ids": encode(tokenizer, "eng_Latn", LONG * 80)}],
        "pairs": [{"source_language": a, "source_text": b, "label_language": c, "label_text": d, "source": s, "labels": l,
                   "losses": x}
                  for (a, b, c, d), s, l, x in zip(PAIRS, sources, labels, losses_of(model, sources, labels))],
    }
    (FOLDER / "golden.json").write_text(json.dumps(golden, ensure_ascii=False, indent=None) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
