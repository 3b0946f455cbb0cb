#!/usr/bin/env python3
"""Makes the golden files of tests/core/text with the Hugging Face libraries.

    python make_tokenizer_golden.py --model SmolLM2-135M-Instruct.Q4_1.gguf --shared SHARED_DIR

Versions: tokenizers 0.23.3, transformers 5.23.0, gguf 0.19.0, Python 3.11.
All texts are written for this purpose. Of the shared data only digests are kept: SHA-256 over the
ids of all string values of a file in document order, each string as its number of ids and the ids,
32-bit little endian.
Writes tokenizer/<name>.golden.json (ids and decoded texts), tokenizer/smollm2.golden.json,
tokenizer/shared_data.golden.json. The small tokenizers, tokenizer/<name>.tokenizer.json, are trained
only with --train, as the trainer breaks ties by chance; without it a second run gives equal files.
"""

import argparse
import hashlib
import json
import pathlib
import random
import struct

import tokenizers
from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

QWEN2 = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*"
         r"|\s*[\r\n]+|\s+(?!\S)|\s+")
LLAMA3 = QWEN2.replace(r"\p{N}|", r"\p{N}{1,3}|", 1)

CORPUS = [
    "The lighthouse keeper wrote the date, 14 March 1907, into the book and closed it.",
    "Which river does the old stone bridge cross? The Tessel, said the boatman; it doesn't flood.",
    "We'll say they've gone: I'm sure he'd've told us. It's what she'd want, isn't it?",
    "Der Leuchtturmwärter schrieb das Datum ins Buch; außerdem zählte er 365 Möwen über der Brücke.",
    "L'été dernier, l'élève où naïf a mangé une crêpe à côté du café. Ça va?",
    "El niño pequeño preguntó: ¿dónde está el río? ¡Aquí! Costó 1.250,75 pesos.",
    "Примерно 42 рыбака вышли в море, когда маяк погас. Где он построен?",
    "灯塔看守人在书上写下日期。这座桥跨越哪条河?哪个机构运营观测台?",
    "灯台守は日付を本に書いた。カモメが飛んでいる。한국어 문장도 하나 있습니다.",
    "ผู้ดูแลประภาคารเขียนวันที่ลงในสมุด", "Người giữ hải đăng viết ngày tháng vào sổ.",
    "حارس المنارة كتب التاريخ في الكتاب", "שומר המגדלור כתב את התאריך בספר",
    "def keeper(x):\n    return {'a': x[0] + 1}  # comment\n\n\tif x == 3: print(\"ok\")\r\n",
    "Smile 😀 and wave 👋🏽, family 👨‍👩‍👧, flag 🇫🇷, heart ❤️.",
] * 3

TEXTS = [
    "", " ", "  ", "\n", "\t", "\r\n", " \n", "a", "Hello world", " Hello world", "  Hello  world  ",
    "hello\tworld\n\nnew  paragraph \n  indented", "line one\r\nline two\r\n\r\n  line four\r",
    "trailing blanks   \n", "a          b                    c", "\u00a0no-break\u2003em\u3000ideographic\u180emongolian",
    "\u0085next line\u2028line separator\u2029paragraph\u200bzero width\ufeffbom",
    "It's, it'S, IT'S, we'll, WE'LL, they've, I'm, he'd, you're, rock'n'roll, 'tis, o'clock's",
    "\u2019s typographic don\u2019t, \u017ft 'long \u017f', \u212aelvin 'Re'Ve",
    "0 1 12 123 1234 12345 1234567890 3.14159 1,000,000 2024-05-17 10:30 1e-5 0x1F",
    "\u0663\u0664\u0665 \u0967\u0968\u0969 \u2160\u2161 \u00bd \u00b2\u00b3 \u2460\u2461 \u5341\u4e8c a1b2c3 1a2b",
    "!?.,;:-_()[]{}<>@#$%^&*+=/\\|~`'\"", "...---...!!!???", "\u00ab\u00bb\u201c\u201d\u2026\u2013\u2014\u00a1\u00bf\u3002\u3001",
    "$100 \u20ac50 \u00a330 \u00a5\u20ab 5% 20\u00b0C \u00a9\u00ae\u2122 \u2211\u222b\u221a\u2260\u2264",
    "caf\u00e9 cafe\u0301 na\u00efve nai\u0308ve \u00c5 A\u030a \u212b \ufb01\ufb02 \u2126 \u03a9",
    "a\u0301\u0323 a\u0323\u0301 \u1e69 s\u0323\u0307 s\u0307\u0323 q\u0307\u0323 \u0344 \u0958",
    "Z\u0351\u036b\u0343a\u0329\u034el\u0322\u035cg\u031b\u0321o\u0328", "\u0301leading mark", "x\u0301\u0301\u0301\u0301",
    "\ud55c\uad6d\uc5b4 \u1112\u1161\u11ab\u1100\u116e\u11a8 \u3131\u314f \uac00\u11a8",
    "\u706f\u5854\u770b\u5b88\u4eba\u57281907\u5e743\u670814\u65e5\u5199\u4e0b\u65e5\u671f\u3002 \u4f60\u597d\uff0c\u4e16\u754c\uff01",
    "\u65e5\u672c\u8a9e\u306e\u6587\u3067\u3059\u3002\u30ab\u30bf\u30ab\u30ca \uff76\uff80\uff76\uff85 \uff21\uff22\uff23\uff11\uff12\uff13",
    "\u0e1c\u0e39\u0e49\u0e14\u0e39\u0e41\u0e25\u0e1b\u0e23\u0e30\u0e20\u0e32\u0e04\u0e32\u0e23\u0e40\u0e02\u0e35\u0e22\u0e19 \u0e13 \u0e51\u0e52\u0e53",
    "\u0928\u092e\u0938\u094d\u0924\u0947 \u0926\u0941\u0928\u093f\u092f\u093e \u0a38\u0a24 \u0ba4\u0bae\u0bbf\u0bb4\u0bcd",
    "\u05e9\u05b8\u05c1\u05dc\u05d5\u05b9\u05dd \u0645\u0631\u062d\u0628\u064b\u0627 \u200f\u202bRTL\u202c mixed \u202aLTR\u202c \u0627\u0644\u0639\u0631\u0628\u064a\u0629123",
    "\u041f\u0440\u0438\u0432\u0435\u0442, \u043c\u0438\u0440! \u0401\u043b\u043a\u0430 \u0419\u043e\u0433\u0443\u0440\u0442 \u0438\u0306 \u0407\u0436\u0430\u043a",
    "\u0130stanbul I\u0131\u0131i \u1e9e\u00df stra\u00dfe \u03a3\u03af\u03c3\u03c5\u03c6\u03bf\u03c2 \u01c4\u01c5\u01c6",
    "Ti\u1ebfng Vi\u1ec7t Tie\u0302\u0301ng Vie\u0323\u0302t \u0110\u01b0\u1eddng ph\u1ed1",
    "\U0001f600\U0001f44b\U0001f3fd\U0001f468\u200d\U0001f469\u200d\U0001f467\U0001f1eb\U0001f1f7\u2764\ufe0f1\ufe0f\u20e3",
    "a\U0001f600b \U0001f600 c\u200dd \U0001f3f4\U000e0067\U000e0062\U000e007f \U0001f9d1\u200d\U0001f680",
    "\U0001d400\U0001d56c\U00020000\U0002a6df \U00010330\U0001f0a1", "\ue000private\U000f0000use\U0010ffff",
    "\x00", "nul\x00inside", "\x01\x02\x03\x07\x08\x0b\x0c\x0e\x1b\x1f\x7f", "\x80\x9f\xa0\xad soft\xadhyphen",
    "\ufffd\ufffe\uffff replacement", "\u2581\u2581metaspace \u2581 inside\u2581", "\u0120\u010a\u0109 byte letters \u0120a",
    "<0x0A><0x41> literal <0xE4>", "<unk><s></s> literal", "a <s> b </s>c", "<|im_start|>user\nhi<|im_end|>\n<|im_start|>assistant\n",
    "text <|im_end|> inside <|im_end|", "<|im_end|><|im_end|>  <|endoftext|>x", "< |im_end|> <|IM_END|> <|im_end|>s",
    "<mask>  <mask>x x<mask> y<mask>z (<mask>) \u0301<mask>  ", "Word WORD word words sword word. word_ \u00e9word",
    "  left   <left>  right<right>   both <both> end ", "ab abc abcd abcde xabcdx ABCDE", "tok tok2 to tok23 tok",
    "hello#world##foo###", "a-b--c---d-", "-a", "a-", "-", "--", "one  two   three", "x=1;y=2;;z=3;", "aXbXXc", "XX",
    "https://example.org/path?q=1&r=%20#frag", "user.name+tag@example.org", "C:\\dir\\file.txt", "camelCase snake_case kebab-case",
    "def f(x):\n    return x**2  # y\n", "{\"key\": [1, 2.5, null, true]}", "<html><body class='a'>text</body></html>",
    "lorem ipsum dolor sit amet, the lighthouse keeper of the bridge; which river? Where is it built?",
    "The place of birth of Ada Pell is Nordhaven. Which institute operates the observatory at Marlo?",
]
LONG_TEXTS = [("a", 100000), (" ", 100000), ("ab", 50000), ("\u706f", 30000), ("\n", 5000), ("1", 20000), ("\u0301", 5000), ("the bridge ", 3000)]
KEPT_IDS = 400


def special(*contents):
    return [tokenizers.AddedToken(c, special=True, normalized=False) for c in contents]


def trained(tokenizer, size, special_tokens=(), **kwargs):
    trainer = trainers.BpeTrainer(vocab_size=size, special_tokens=list(special_tokens), show_progress=False, **kwargs)
    tokenizer.train_from_iterator(CORPUS, trainer)
    return tokenizer


def byte_level(size, specials, split=None, normalizer=None, **byte_level_kwargs):
    tokenizer = Tokenizer(models.BPE())
    if normalizer:
        tokenizer.normalizer = normalizer
    step = pre_tokenizers.ByteLevel(add_prefix_space=byte_level_kwargs.get("add_prefix_space", False), use_regex=split is None)
    tokenizer.pre_tokenizer = step if split is None else pre_tokenizers.Sequence([pre_tokenizers.Split(Regex(split), "isolated"), step])
    tokenizer.decoder = decoders.ByteLevel()
    return trained(tokenizer, size, special(*specials), initial_alphabet=pre_tokenizers.ByteLevel.alphabet())


def as_json(tokenizer):
    return json.loads(tokenizer.to_str())


def template(before, after=(), kind=None):
    piece = lambda token: {"SpecialToken": {"id": token[0], "type_id": 0}}
    result = {"type": "TemplateProcessing",
              "single": [piece(t) for t in before] + [{"Sequence": {"id": "A", "type_id": 0}}] + [piece(t) for t in after],
              "pair": [{"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 1}}],
              "special_tokens": {t[0]: {"id": t[0], "ids": t[1], "tokens": [t[0]]} for t in [*before, *after]}}
    return result if kind is None else {"type": "Sequence", "processors": [
        {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": False, "use_regex": True}, result]}


def added(token_id, content, **flags):
    return {"id": token_id, "content": content, "single_word": False, "lstrip": False, "rstrip": False,
            "normalized": False, "special": False, **flags}


def sentence_piece_base(size=420, bytes_from=0):
    """Characters and merges over text with U+2581 for blanks, then byte pieces in front."""
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>", fuse_unk=True, byte_fallback=True))
    tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend("\u2581"), normalizers.Replace(" ", "\u2581")])
    tokenizer.pre_tokenizer = pre_tokenizers.Split("\u2581", "merged_with_next")
    byte_pieces = [f"<0x{b:02X}>" for b in range(bytes_from, 256)]
    trained(tokenizer, size + len(byte_pieces), ["<unk>", "<s>", "</s>", *byte_pieces], limit_alphabet=90)
    data = as_json(tokenizer)
    data["pre_tokenizer"] = None
    data["added_tokens"] = [t | {"special": True} for t in data["added_tokens"] if t["id"] < 3]
    data["decoder"] = {"type": "Sequence", "decoders": [
        {"type": "Replace", "pattern": {"String": "\u2581"}, "content": " "}, {"type": "ByteFallback"},
        {"type": "Fuse"}, {"type": "Strip", "content": " ", "start": 1, "stop": 0}]}
    return data


def char_model(pre_tokenizer, normalizer=None, size=300, decoder=None, **model):
    tokenizer = Tokenizer(models.BPE(unk_token="[UNK]", **model))
    if normalizer:
        tokenizer.normalizer = normalizer
    tokenizer.pre_tokenizer = pre_tokenizer
    kwargs = {k: model[k] for k in ("continuing_subword_prefix", "end_of_word_suffix") if k in model}
    trained(tokenizer, size, ["[UNK]", "[CLS]", "[SEP]"], limit_alphabet=110, **kwargs)
    data = as_json(tokenizer)
    data["decoder"] = decoder
    return data


def splits_model(pattern, behavior, invert):
    base = char_model(pre_tokenizers.Whitespace(), size=160)
    base["pre_tokenizer"] = {"type": "Split", "pattern": pattern, "behavior": behavior, "invert": invert}
    base["model"]["ignore_merges"] = True
    # Whole pieces as tokens, so that the ids show where the cuts are.
    vocab = base["model"]["vocab"]
    for text in ("hello", "#", "##", "###", "hello#", "#world", "world##", "a-", "-b", "--", "--c", "c---", "-", "a-b", "---d", "d-",
                 "world", "foo", "foo###", "##foo", "one  ", "  two", "   three", "x=1;", ";;", ";y=2", "y=2;", "aX", "Xb", "bX", "XX", "bXX"):
        vocab.setdefault(text, len(vocab))
    return base


def synthetic_tokenizers():
    out = {}
    qwen = as_json(byte_level(700, ["<|endoftext|>", "<|im_start|>", "<|im_end|>"], QWEN2, normalizers.NFC()))
    qwen["post_processor"] = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": False, "use_regex": False}
    qwen["added_tokens"].append(added(len(qwen["model"]["vocab"]), "<tool>"))
    out["qwen2_style"] = qwen

    llama3 = as_json(byte_level(600, ["<|endoftext|>", "<s>", "</s>"], LLAMA3))
    llama3["model"]["ignore_merges"] = True
    llama3["model"]["vocab"].update({w: len(llama3["model"]["vocab"]) + i for i, w in enumerate(["\u0120lighthousekeeper", "123", "\u0120boatman;"])})
    llama3["post_processor"] = template([("<s>", [1])], kind="Sequence")
    llama3["model"]["merges"] = [" ".join(m) for m in llama3["model"]["merges"]]
    out["llama3_style"] = llama3

    gpt2 = as_json(byte_level(500, ["<|endoftext|>"], add_prefix_space=True))
    gpt2["post_processor"] = template([], [("<|endoftext|>", [0])])
    out["gpt2_prefix_space"] = gpt2

    smollm = as_json(byte_level(500, ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]))
    smollm["pre_tokenizer"] = {"type": "Sequence", "pretokenizers": [{"type": "Digits", "individual_digits": True}, smollm["pre_tokenizer"]]}
    out["smollm_style"] = smollm

    llama2 = sentence_piece_base()
    llama2["post_processor"] = template([("<s>", [1])])
    out["llama2_style"] = llama2

    for name, pre in {
        "metaspace_first": {"prepend_scheme": "first", "split": False},
        "metaspace_always_split": {"prepend_scheme": "always", "split": True},
        "metaspace_never": {"prepend_scheme": "never", "split": True},
        "metaspace_old_key": {"add_prefix_space": True},
    }.items():
        data = sentence_piece_base(330)
        data["normalizer"] = {"type": "NFKC"} if name == "metaspace_first" else None
        data["pre_tokenizer"] = {"type": "Metaspace", "replacement": "\u2581", **pre}
        data["decoder"] = {"type": "Metaspace", "replacement": "\u2581", **pre} if name != "metaspace_first" else data["decoder"]
        out[name] = data
    stripped = sentence_piece_base(330)
    stripped["normalizer"] = {"type": "Sequence", "normalizers": [{"type": "Strip", "strip_left": True, "strip_right": False},
                                                                  {"type": "Replace", "pattern": {"Regex": "^<"}, "content": ""}]}
    stripped["pre_tokenizer"] = {"type": "Metaspace", "replacement": "\u2581", "prepend_scheme": "first", "split": True}
    out["metaspace_first_stripped"] = stripped

    some_bytes = sentence_piece_base(330, bytes_from=0xC0)
    some_bytes["model"]["fuse_unk"] = False
    out["some_bytes_no_fuse"] = some_bytes
    fused = json.loads(json.dumps(some_bytes))
    fused["model"]["fuse_unk"] = True
    out["some_bytes_fuse"] = fused
    no_unk = json.loads(json.dumps(some_bytes))
    no_unk["model"]["unk_token"] = None
    no_unk["decoder"] = None
    out["some_bytes_no_unk"] = no_unk

    bert_like = normalizers.Sequence([normalizers.NFKD(), normalizers.Lowercase(), normalizers.StripAccents(), normalizers.Strip()])
    subword = char_model(pre_tokenizers.Sequence([pre_tokenizers.Whitespace(), pre_tokenizers.Digits(individual_digits=False)]), bert_like,
                         continuing_subword_prefix="##")
    subword["post_processor"] = template([("[CLS]", [1])], [("[SEP]", [2])])
    out["subword_prefix"] = subword
    suffix = char_model(pre_tokenizers.Sequence([pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Punctuation("merged_with_previous")]),
                        normalizers.Lowercase(), end_of_word_suffix="</w>", fuse_unk=True,
                        decoder={"type": "Replace", "pattern": {"String": "</w>"}, "content": " "})
    out["word_suffix"] = suffix
    out["punctuation_isolated"] = char_model(pre_tokenizers.Sequence([pre_tokenizers.Punctuation(), pre_tokenizers.Digits(individual_digits=True)]),
                                             normalizers.NFD())
    replaced = char_model(pre_tokenizers.Whitespace())
    replaced["normalizer"] = {"type": "Sequence", "normalizers": [
        {"type": "Replace", "pattern": {"Regex": "\\s{2,}"}, "content": " "}, {"type": "Replace", "pattern": {"Regex": "x*"}, "content": "-"},
        {"type": "Replace", "pattern": {"String": "."}, "content": "\u3002"}, {"type": "Prepend", "prepend": "p"}]}
    replaced["pre_tokenizer"] = None
    replaced["decoder"] = {"type": "Sequence", "decoders": [{"type": "Strip", "content": "a", "start": 2, "stop": 0},
                                                           {"type": "Replace", "pattern": {"Regex": "[eo]+"}, "content": "_"}, {"type": "Fuse"}]}
    out["replace_chain"] = replaced

    for behavior in ("Removed", "Isolated", "MergedWithPrevious", "MergedWithNext", "Contiguous"):
        for invert in (False, True):
            pattern = {"Regex": r"[#;X]|-|\s+"} if behavior != "Contiguous" or invert else {"String": "-"}
            out[f"split_{behavior.lower()}{'_inverted' if invert else ''}"] = splits_model(pattern, behavior, invert)

    tokens = char_model(pre_tokenizers.Whitespace(), normalizers.Lowercase(), size=200)
    first = len(tokens["model"]["vocab"])
    tokens["added_tokens"] += [added(first + i, content, **flags) for i, (content, flags) in enumerate([
        ("<mask>", {"single_word": True, "lstrip": True, "special": True}), ("Word", {"normalized": True, "single_word": True}),
        ("<left>", {"lstrip": True}), ("<right>", {"rstrip": True}), ("<both>", {"lstrip": True, "rstrip": True, "normalized": True}),
        ("abc", {}), ("abcd", {"normalized": True}), ("tok", {"normalized": True}), ("tok2", {}), ("ABCDE", {}), ("  ", {}),
    ])]
    tokens["decoder"] = None
    out["added_token_flags"] = tokens
    return out


def digest(sequences):
    sha = hashlib.sha256()
    for ids in sequences:
        sha.update(struct.pack(f"<{len(ids) + 1}I", len(ids), *ids))
    return sha.hexdigest()


def kept(ids):
    return ids if len(ids) <= KEPT_IDS else {"count": len(ids), "sha256": digest([ids])}


def kept_text(text):
    return text if len(text) <= 400 else {"sha256": hashlib.sha256(text.encode()).hexdigest()}


def golden(tokenizer, texts, seed):
    rng = random.Random(seed)
    size = tokenizer.get_vocab_size()
    odd = [[rng.randrange(size) for _ in range(rng.randint(1, 12))] for _ in range(10)] + [[], [size + 7], [0, size + 7, 1]]
    cases = []
    for text in texts:
        ids = tokenizer.encode(text, add_special_tokens=False).ids
        case = {"ids": kept(ids), "decoded": kept_text(tokenizer.decode(ids, skip_special_tokens=True))}
        whole = tokenizer.decode(ids, skip_special_tokens=False)
        if kept_text(whole) != case["decoded"]:
            case["decoded_whole"] = kept_text(whole)
        cases.append(case)
    with_special = tokenizer.encode(TEXTS[8], add_special_tokens=True).ids
    return {"with_special_tokens": {"text": TEXTS[8], "ids": with_special}, "texts": cases,
            "odd": [{"ids": ids, "decoded": tokenizer.decode(ids, skip_special_tokens=True),
                     "decoded_whole": tokenizer.decode(ids, skip_special_tokens=False)} for ids in odd]}


def strings_of(value):
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for item in value.values():
            yield from strings_of(item)
    elif isinstance(value, list):
        for item in value:
            yield from strings_of(item)


def smollm2(path):
    """What tokenizer.json of SmolLM2-135M-Instruct holds, from the GGUF file's vocabulary and merges."""
    import gguf
    fields = gguf.GGUFReader(path).fields
    tokens = fields["tokenizer.ggml.tokens"].contents()
    merges = [tuple(m.split(" ")) for m in fields["tokenizer.ggml.merges"].contents()]
    tokenizer = Tokenizer(models.BPE(vocab={t: i for i, t in enumerate(tokens)}, merges=merges))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)])
    tokenizer.decoder = decoders.ByteLevel()
    types = fields["tokenizer.ggml.token_type"].contents()
    tokenizer.add_special_tokens(special(*[t for t, kind in zip(tokens, types) if kind == 3]))
    return tokenizer, fields["tokenizer.chat_template"].contents()


def prompts(tokenizer, template_text):
    from transformers import PreTrainedTokenizerFast
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer)
    fast.chat_template = template_text
    conversations = [
        [("user", "Which river does the bridge cross?")], [("user", "")], [("user", "  two\nlines  ")],
        [("system", "Be brief."), ("user", "Hi")],
        [("user", "One"), ("assistant", "Two"), ("user", "Three <|im_end|> 4")],
    ]
    out = []
    for turns in conversations:
        messages = [{"role": role, "content": content} for role, content in turns]
        text = fast.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
        out.append({"messages": messages, "prompt": text, "ids": tokenizer.encode(text, add_special_tokens=False).ids})
    return {"chat_template": template_text, "conversations": out}


def write(path, value):
    path.write_text(json.dumps(value, ensure_ascii=True, separators=(",", ":")) + "\n")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", help="SmolLM2 GGUF file")
    parser.add_argument("--shared", help="folder that holds data/")
    parser.add_argument("--train", action="store_true", help="train the small tokenizers anew")
    parser.add_argument("--out", default=str(pathlib.Path(__file__).parent / "tokenizer"))
    args = parser.parse_args()
    assert tokenizers.__version__ == "0.23.3", tokenizers.__version__
    out = pathlib.Path(args.out)
    out.mkdir(exist_ok=True)

    texts = TEXTS + [text * times for text, times in LONG_TEXTS]
    write(out / "texts.json", TEXTS + [{"repeat": text, "times": times} for text, times in LONG_TEXTS])
    if args.train:
        for old in out.glob("*.json"):
            if old.name != "texts.json":
                old.unlink()
        for name, data in synthetic_tokenizers().items():
            write(out / f"{name}.tokenizer.json", data)
    made = {}
    for path in sorted(out.glob("*.tokenizer.json")):
        name = path.name.removesuffix(".tokenizer.json")
        made[name] = Tokenizer.from_file(str(path))
        write(out / f"{name}.golden.json", golden(made[name], texts, sum(name.encode())))
    if args.model:
        made["smollm2"], chat_template = smollm2(args.model)
        write(out / "smollm2.golden.json", golden(made["smollm2"], texts, 99) | {"prompts": prompts(made["smollm2"], chat_template)})
    if args.shared:
        data_dir = pathlib.Path(args.shared) / "data"
        files = {}
        for path in sorted(data_dir.rglob("*.json")):
            strings = list(strings_of(json.loads(path.read_text())))
            files[path.relative_to(data_dir).as_posix()] = {
                "strings": len(strings),
                "sha256": {name: digest(e.ids for e in made[name].encode_batch(strings, add_special_tokens=False))
                           for name in ("smollm2", "qwen2_style", "llama2_style", "llama3_style", "subword_prefix") if name in made}}
        write(out / "shared_data.golden.json", files)


if __name__ == "__main__":
    main()
