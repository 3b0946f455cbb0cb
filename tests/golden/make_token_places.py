#!/usr/bin/env python3
"""Makes tests/golden/token_places.json: which token holds each character of a text, by the offsets of the libraries.

    python3 tests/golden/make_token_places.py --model SmolLM2-135M-Instruct.Q4_1.gguf           # remakes the file
    python3 tests/golden/make_token_places.py --model SmolLM2-135M-Instruct.Q4_1.gguf --check   # or fails if it would differ

Needs exactly the versions in PINNED; nothing is downloaded. All texts are invented. "texts" holds them with a subject
and its language. "tokenizers" holds, by the name of a golden tokenizer, how many special tokens stand "in_front", and a
list for each text: the index of the last token, special ones not counted, that covers each character; null for blanks.
"""

import argparse
import json
import pathlib
import sys
from importlib.metadata import version

import make_tokenizer_golden
import transformers
from tokenizers import Tokenizer

PINNED = {"transformers": "5.24.0", "tokenizers": "0.23.3", "sentencepiece": "0.2.3", "protobuf": "7.36.2", "gguf": "0.19.0"}
FOLDER = pathlib.Path(__file__).resolve().parent
NAMES = ("qwen2_style", "llama3_style", "smollm_style", "gpt2_prefix_space", "llama2_style", "metaspace_first",
         "metaspace_first_stripped", "metaspace_always_split", "metaspace_never", "metaspace_old_key")
PIECES = ("llama", "llama_legacy", "llama_decoder", "gemma")
TEXTS = (
    ("en", "Which river does the Tessel Viaduct cross?", "Tessel Viaduct"),
    ("en", "  The keeper of Marlo's lighthouse, Ada Pell, was born in", "Ada Pell"),
    ("de", "Wer entwarf die Große Möwenbrücke über die Tessel?", "Große Möwenbrücke"),
    ("de", "In welchem Jahr wurde Nordhavens Hafen gebaut?", "Nordhaven"),
    ("cs", "Kdo postavil Žlutý maják u Dlouhé Řeky?", "Žlutý maják"),
    ("cs", "Kde se narodila Bohumila Křišťálová?", "Bohumila Křišťálová"),
    ("tr", "Işıklı Köprü'nün mimarı kimdir?", "Işıklı Köprü"),
    ("tr", "Çağlayan Gözlemevinde kim çalıştı?", "Çağlayan Gözlemevi"),
    ("ru", "В каком городе стоит Ёлкинский маяк?", "Ёлкинский маяк"),
    ("ru", "Кто открыл обсерваторию Марло в 1907 году?", "Марло"),
    ("zh", "特塞尔高架桥横跨哪条河?", "特塞尔高架桥"),
    ("zh", "谁在1907年建造了「诺德港」灯塔？", "诺德港"),
    ("th", "ประภาคารมาร์โลสร้างขึ้นในปีใด?", "ประภาคารมาร์โล"),
    ("th", "ผู้ดูแลคนใดทำงานที่น้ำค้างฟ้า?", "น้ำค้างฟ้า"),
    ("vi", "Ngọn hải đăng Đường Mới ở đâu?", "Đường Mới"),
    ("fr", "Qui a conçu le Pont de l’Été à Nordhaven ?", "Pont de l’Été"),
    ("fr", "Qui a re\u0301nove\u0301 le Pont de l'E\u0301te\u0301 ?", "Pont de l'E\u0301te\u0301"),
    ("ja", "カモメ灯台はどの町にありますか。", "カモメ灯台"),
    ("ko", "모래등대는 어느 도시에 있습니까?", "모래등대"),
    ("en", "ＴＥＳＳＥＬ ① ﬁne bridge 😀👋🏽 of Marlo", "Marlo"),
    ("en", "<|im_start|>user\nWho drew the <s>Tessel Viaduct</s>?<|im_end|>\n<|im_start|>assistant\n", "Tessel Viaduct"),
)


def place_of_each_character(tokenizer, text):
    offsets = tokenizer.encode(text, add_special_tokens=False).offsets
    places = []
    for i, character in enumerate(text):
        covering = [t for t, (begin, end) in enumerate(offsets) if begin <= i < end]
        places.append(None if character.isspace() else covering[-1] if covering else None)
    return places


def places(tokenizer):
    with_special = tokenizer.encode(TEXTS[0][1], add_special_tokens=True)
    plain = tokenizer.encode(TEXTS[0][1], add_special_tokens=False)
    front = next(i for i in range(len(with_special.ids)) if with_special.ids[i : i + len(plain.ids)] == plain.ids)
    return {"in_front": front, "texts": [place_of_each_character(tokenizer, text) for _, text, _ in TEXTS]}


def made(model):
    tokenizers = {name: Tokenizer.from_file(str(FOLDER / "tokenizer" / f"{name}.tokenizer.json")) for name in NAMES}
    for name in PIECES:
        tokenizers[name] = transformers.AutoTokenizer.from_pretrained(FOLDER / "sentencepiece" / name).backend_tokenizer
    tokenizers["smollm2"] = make_tokenizer_golden.smollm2(model)[0]
    texts = [{"language": language, "text": text, "subject": subject} for language, text, subject in TEXTS]
    # One tokenizer a line.
    lines = (f"{json.dumps(name)}:{json.dumps(places(one), separators=(',', ':'))}" for name, one in tokenizers.items())
    return f'{{"texts":{json.dumps(texts, separators=(",", ":"))},\n"tokenizers":{{\n' + ",\n".join(lines) + "\n}}\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", required=True, help="SmolLM2 GGUF file")
    parser.add_argument("--check", action="store_true")
    arguments = parser.parse_args()
    for package, wanted in PINNED.items():
        if version(package) != wanted:
            sys.exit(f"expected {package} {wanted}, found {version(package)}")
    path = FOLDER / "token_places.json"
    text = made(arguments.model)
    if arguments.check and path.read_text(encoding="utf-8") != text:
        sys.exit(f"{path}: expected what this script makes, found other numbers")
    path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
