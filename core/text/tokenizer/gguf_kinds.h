#ifndef XKDE_CORE_TEXT_TOKENIZER_GGUF_KINDS_H_
#define XKDE_CORE_TEXT_TOKENIZER_GGUF_KINDS_H_

#include <array>
#include <cstdint>
#include <string_view>

namespace xkde {

// What the reader and the writer of tokenizers in GGUF files have in common.

inline constexpr std::string_view kGgufSpace = "\xE2\x96\x81";  // U+2581, SentencePiece's blank

inline constexpr const char* kGgufPre = "tokenizer.ggml.pre";

/// Of tokens that end an answer beside EOS: those of a turn and of a message.
inline constexpr std::array<const char*, 2> kGgufEndKeys = {"tokenizer.ggml.eot_token_id",
                                                            "tokenizer.ggml.eom_token_id"};

/// Values of tokenizer.ggml.token_type.
enum GgufTokenType : int32_t {
  kGgufNormal = 1,
  kGgufUnknown = 2,
  kGgufControl = 3,
  kGgufUserDefined = 4,
  kGgufUnused = 5,
  kGgufByte = 6
};

inline constexpr const char* kGgufLlama3Pattern =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
inline constexpr const char* kGgufQwen2Pattern =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";

/// One value of tokenizer.ggml.pre.
struct GgufByteLevelKind {
  std::string_view name;
  const char* pattern;     ///< of a Split step; null for GPT-2's own, which ByteLevel brings along
  bool individual_digits;  ///< whether a Digits step comes first
  bool nfc;
  bool ignore_merges;
  bool adds_bos;  ///< where the file does not say
};

inline constexpr std::array<GgufByteLevelKind, 7> kGgufByteLevelKinds = {{
    {"smollm", nullptr, true, false, false, false},
    {"gpt-2", nullptr, false, false, false, false},
    {"qwen2", kGgufQwen2Pattern, false, true, false, false},
    {"deepseek-r1-qwen", kGgufQwen2Pattern, false, true, false, false},
    {"llama-bpe", kGgufLlama3Pattern, false, false, true, true},
    {"llama3", kGgufLlama3Pattern, false, false, true, true},
    {"llama-v3", kGgufLlama3Pattern, false, false, true, true},
}};

}  // namespace xkde

#endif  // XKDE_CORE_TEXT_TOKENIZER_GGUF_KINDS_H_
