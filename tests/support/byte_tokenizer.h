#ifndef XKDE_TESTS_SUPPORT_BYTE_TOKENIZER_H_
#define XKDE_TESTS_SUPPORT_BYTE_TOKENIZER_H_

#include <string>
#include <vector>

#include "core/text/tokenizer/tokenizer.h"

namespace xkde::test {

/// A byte-level BPE tokenizer for printable ASCII in which every character is one token, save for
/// the added tokens <s> 0, </s> 1, <|im_start|> 2, <|im_end|> 3 and the merge "ab". Ids of
/// characters: 10 + (code - 32); newline 9, "ab" 8. `adds_bos`: among special tokens.
inline Tokenizer byte_tokenizer(bool adds_bos = false) {
  Json vocab = Json::object();
  Json added = Json::array();
  int64_t next = 0;
  for (const char* token : {"<s>", "</s>", "<|im_start|>", "<|im_end|>"}) {
    vocab[token] = next;
    added.push_back({{"id", next++},
                     {"content", token},
                     {"single_word", false},
                     {"lstrip", false},
                     {"rstrip", false},
                     {"normalized", false},
                     {"special", true}});
  }
  vocab["ab"] = 8;
  vocab["\u010a"] = 9;  // the newline's letter in the byte-level alphabet
  for (int code = 32; code < 127; ++code) {
    // The blank's letter is U+0120; the others stand for themselves.
    vocab[code == 32 ? std::string("\u0120") : std::string(1, static_cast<char>(code))] =
        10 + code - 32;
  }
  const Json byte_level{{"type", "ByteLevel"},
                        {"add_prefix_space", false},
                        {"trim_offsets", true},
                        {"use_regex", true}};
  const Json json{{"version", "1.0"},
                  {"truncation", nullptr},
                  {"padding", nullptr},
                  {"added_tokens", added},
                  {"normalizer", nullptr},
                  {"pre_tokenizer", byte_level},
                  {"post_processor", nullptr},
                  {"decoder", byte_level},
                  {"model",
                   {{"type", "BPE"},
                    {"dropout", nullptr},
                    {"unk_token", nullptr},
                    {"continuing_subword_prefix", nullptr},
                    {"end_of_word_suffix", nullptr},
                    {"fuse_unk", false},
                    {"byte_fallback", false},
                    {"ignore_merges", false},
                    {"vocab", vocab},
                    {"merges", Json::array({"a b"})}}}};
  const Json config{{"bos_token", "<s>"}, {"eos_token", "</s>"}, {"add_bos_token", adds_bos}};
  return Tokenizer::from_json(json, config, "byte tokenizer");
}

/// The ids that byte_tokenizer() gives to text without added tokens and without "ab".
inline std::vector<int64_t> byte_ids(const std::string& text) {
  std::vector<int64_t> ids;
  for (const char c : text) ids.push_back(c == '\n' ? 9 : 10 + c - 32);
  return ids;
}

}  // namespace xkde::test

#endif  // XKDE_TESTS_SUPPORT_BYTE_TOKENIZER_H_
