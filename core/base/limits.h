#ifndef XKDE_CORE_BASE_LIMITS_H_
#define XKDE_CORE_BASE_LIMITS_H_

#include <cstddef>
#include <cstdint>

/// What a file of others may ask for beyond what it holds. Counts and sizes that a file names are
/// held against the file's own bytes instead. docs/limits.md lists both.
namespace xkde::limits {

/// A text on its way through a tokenizer's steps may have this many times its bytes, and some more.
inline constexpr size_t kTextGrowth = 16;
inline constexpr size_t kTextRoom = size_t{64} << 10;
constexpr size_t grown_text(size_t bytes) { return bytes * kTextGrowth + kTextRoom; }

/// A rule of a SentencePiece model may make as many times the bytes of what it replaces, and these.
inline constexpr size_t kRuleRoom = 64;

/// Ids that a post-processor may put around a text; published models have up to four.
inline constexpr size_t kMostIdsAround = 4096;

/// Bytes of a token that the scores of a GGUF file put together: every way to part it is looked up.
/// Published vocabularies have up to some hundred.
inline constexpr size_t kLongestScoredToken = 1024;

/// Characters of a word that WordPiece parts, and bytes of its prefix of later pieces: the work
/// grows with the third power. Published models have 100 and 2.
inline constexpr int64_t kLongestWord = 1024;
inline constexpr size_t kLongestWordPrefix = 64;

/// Tokens of an encoder whose attention has a table of the distances of all pairs.
inline constexpr int64_t kLongestWithDistances = 8192;

}  // namespace xkde::limits

#endif  // XKDE_CORE_BASE_LIMITS_H_
