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

/// Tokens of an encoder whose attention has a table of the distances of all pairs.
inline constexpr int64_t kLongestWithDistances = 8192;

}  // namespace xkde::limits

#endif  // XKDE_CORE_BASE_LIMITS_H_
