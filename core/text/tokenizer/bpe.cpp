#include "core/text/tokenizer/bpe.h"

#include <algorithm>
#include <limits>
#include <mutex>
#include <queue>
#include <shared_mutex>
#include <tuple>
#include <utility>

#include <fmt/format.h>

#include "core/base/error.h"
#include "core/text/regex/unicode.h"

namespace xkde {
namespace {

constexpr size_t kMostCachedWords = size_t{1} << 16;
constexpr size_t kMostCachedBytes = 256;  ///< longer words seldom come twice
constexpr int64_t kMostId = (int64_t{1} << 31) - 2;
constexpr size_t kByteValues = 256;

uint64_t pair_key(int32_t left, int32_t right) {
  return static_cast<uint64_t>(static_cast<uint32_t>(left)) << 32 | static_cast<uint32_t>(right);
}

}  // namespace

/// Words seen so far. Filled once and then left alone: the words of a corpus that come often come
/// early.
struct Bpe::Cache {
  std::shared_mutex mutex;
  StringMap<std::vector<int32_t>> words;
};

Bpe::Bpe(Bpe&&) noexcept = default;
Bpe& Bpe::operator=(Bpe&&) noexcept = default;
Bpe::~Bpe() = default;

Bpe::Bpe(const JsonPlace& model) : where_(model.where()), cache_(std::make_unique<Cache>()) {
  const std::string type = model.string_or("type", "BPE");
  if (type != "BPE") model.at("type").fail("\"BPE\"");
  if (const auto dropout = model.find("dropout"); dropout && dropout->value() != 0.0) {
    dropout->fail("null, as an encoding must not be random");
  }
  if (const auto unk = model.find("unk_token")) {
    unk_token_ = unk->string();
    has_unk_token_ = true;
  }
  prefix_ = model.string_or("continuing_subword_prefix", "");
  suffix_ = model.string_or("end_of_word_suffix", "");
  fuse_unk_ = model.boolean_or("fuse_unk", false);
  byte_fallback_ = model.boolean_or("byte_fallback", false);
  ignore_merges_ = model.boolean_or("ignore_merges", false);
  read_vocabulary(model.at("vocab"));
  read_merges(model.at("merges"));
  if (byte_fallback_) find_byte_tokens();
}

void Bpe::read_vocabulary(const JsonPlace& vocab) {
  ids_.reserve(vocab.object().size());
  for (const auto& [token, value] : vocab.value().items()) {
    // A cheap test first: the place of each of 150,000 entries is not worth building.
    if (!value.is_number_unsigned() || value.get<uint64_t>() > static_cast<uint64_t>(kMostId)) {
      vocab.at(token).integer(0, kMostId);
    }
    const auto id = static_cast<int32_t>(value.get<int64_t>());
    const auto entry = ids_.emplace(token, id).first;
    const auto [owner, is_new] = tokens_.emplace(id, &entry->first);
    XKDE_CHECK(is_new, DataError, vocab.where(), ": expected each id once, found ", id,
               " for both \"", *owner->second, "\" and \"", token, "\"");
    largest_id_ = std::max(largest_id_, static_cast<int64_t>(id));
  }
}

void Bpe::read_merges(const JsonPlace& merges) {
  const Json& list = merges.array().value();
  merges_.reserve(list.size());
  for (size_t rank = 0; rank < list.size(); ++rank) {
    const Json& merge = list[rank];
    if (merge.is_string()) {
      const std::string& text = merge.get_ref<const std::string&>();
      const size_t blank = text.find(' ');
      if (blank == std::string::npos || text.find(' ', blank + 1) != std::string::npos) {
        merges.item(rank).fail("two tokens parted by one blank");
      }
      const std::string_view view(text);
      add_merge(merges, view.substr(0, blank), view.substr(blank + 1), rank);
    } else {
      const bool is_pair =
          merge.is_array() && merge.size() == 2 && merge[0].is_string() && merge[1].is_string();
      if (!is_pair) merges.item(rank).fail("a pair of tokens");
      add_merge(merges, merge[0].get_ref<const std::string&>(),
                merge[1].get_ref<const std::string&>(), rank);
    }
  }
}

void Bpe::add_merge(const JsonPlace& place, std::string_view left, std::string_view right,
                    size_t rank) {
  const auto known = [&](std::string_view token) {
    const auto found = ids_.find(token);
    if (found == ids_.end())
      place.item(rank).fail(concat("tokens of the vocabulary (no \"", token, "\")"));
    return found->second;
  };
  const int32_t left_id = known(left);
  const int32_t right_id = known(right);
  if (!right.starts_with(prefix_)) {
    place.item(rank).fail(concat("a second token that begins with \"", prefix_, "\""));
  }
  const int32_t id = known(concat(left, right.substr(prefix_.size())));
  // As in the library, the last of two equal merges counts.
  merges_.insert_or_assign(pair_key(left_id, right_id), Merge{static_cast<int32_t>(rank), id});
}

void Bpe::find_byte_tokens() {
  byte_ids_.assign(kByteValues, -1);
  for (size_t byte = 0; byte < kByteValues; ++byte) {
    if (const auto found = ids_.find(fmt::format("<0x{:02X}>", byte)); found != ids_.end()) {
      byte_ids_[byte] = found->second;
    }
  }
}

std::optional<int64_t> Bpe::id_of(std::string_view token) const {
  const auto found = ids_.find(token);
  if (found == ids_.end()) return std::nullopt;
  return found->second;
}

const std::string* Bpe::token_of(int64_t id) const {
  const auto found = tokens_.find(id);
  return found == tokens_.end() ? nullptr : found->second;
}

int64_t Bpe::largest_given_id() const {
  if (ignore_merges_) return largest_id_;
  int64_t largest = -1;
  for (const auto& [pair, merge] : merges_) largest = std::max<int64_t>(largest, merge.id);
  for (const int32_t id : byte_ids_) largest = std::max<int64_t>(largest, id);
  if (has_unk_token_) largest = std::max(largest, id_of(unk_token_).value_or(-1));
  for (const auto& [token, id] : ids_) {
    std::string_view character(token);
    if (character.starts_with(prefix_)) character.remove_prefix(prefix_.size());
    if (character.ends_with(suffix_)) character.remove_suffix(suffix_.size());
    if (id > largest && unicode::length(character) <= 1) largest = id;
  }
  return largest;
}

const Bpe::Merge* Bpe::merge_of(int32_t left, int32_t right) const {
  const auto found = merges_.find(pair_key(left, right));
  return found == merges_.end() ? nullptr : &found->second;
}

void Bpe::encode(std::string_view word, std::vector<int64_t>& ids) const {
  if (word.empty()) return;
  if (ignore_merges_) {
    if (const auto found = ids_.find(word); found != ids_.end()) {
      ids.push_back(found->second);
      return;
    }
  }
  const bool is_cached = word.size() <= kMostCachedBytes;
  if (is_cached) {
    const std::shared_lock lock(cache_->mutex);
    if (const auto found = cache_->words.find(word); found != cache_->words.end()) {
      ids.insert(ids.end(), found->second.begin(), found->second.end());
      return;
    }
  }
  std::vector<int32_t> tokens = merged(characters(word));
  ids.insert(ids.end(), tokens.begin(), tokens.end());
  if (is_cached) {
    const std::unique_lock lock(cache_->mutex);
    if (cache_->words.size() < kMostCachedWords) cache_->words.emplace(word, std::move(tokens));
  }
}

std::vector<int32_t> Bpe::characters(std::string_view word) const {
  std::vector<int32_t> ids;
  ids.reserve(word.size());
  int32_t pending = -1;  // an unknown token that later ones may still join
  for (size_t position = 0; position < word.size();) {
    const size_t start = position;
    unicode::next(word, position);
    std::string character(word.substr(start, position - start));
    if (start > 0) character.insert(0, prefix_);
    if (position == word.size()) character += suffix_;
    if (const auto found = ids_.find(character); found != ids_.end()) {
      if (pending >= 0) ids.push_back(pending);
      pending = -1;
      ids.push_back(found->second);
      continue;
    }
    // The library leaves a pending unknown token waiting here: it comes after the bytes.
    if (byte_fallback_ && append_bytes(character, ids)) continue;
    if (pending >= 0 && !fuse_unk_) ids.push_back(pending);
    if (has_unk_token_) pending = unknown_id();
  }
  if (pending >= 0) ids.push_back(pending);
  return ids;
}

int32_t Bpe::unknown_id() const {
  const auto found = ids_.find(unk_token_);
  XKDE_CHECK(found != ids_.end(), DataError, where_,
             ".unk_token: expected a token of the vocabulary, found \"", unk_token_, "\"");
  return found->second;
}

bool Bpe::append_bytes(std::string_view character, std::vector<int32_t>& ids) const {
  const size_t before = ids.size();
  for (const char byte : character) {
    const int32_t id = byte_ids_[static_cast<unsigned char>(byte)];
    if (id < 0) {
      ids.resize(before);
      return false;
    }
    ids.push_back(id);
  }
  return true;
}

std::vector<int32_t> Bpe::merged(const std::vector<int32_t>& characters) const {
  struct Candidate {
    int32_t rank;
    int32_t position;
    int32_t id;
    bool operator>(const Candidate& other) const {
      return std::tie(rank, position) > std::tie(other.rank, other.position);
    }
  };
  XKDE_CHECK(characters.size() < static_cast<size_t>(std::numeric_limits<int32_t>::max()),
             DataError, where_, ": expected a word of less than 2^31 characters, found ",
             characters.size());
  const auto count = static_cast<int32_t>(characters.size());
  std::vector<Symbol> symbols(characters.size());
  std::vector<Candidate> heap_storage;
  heap_storage.reserve(characters.size());
  std::priority_queue<Candidate, std::vector<Candidate>, std::greater<>> queue(
      {}, std::move(heap_storage));
  const auto at = [&](int32_t position) -> Symbol& {
    return symbols[static_cast<size_t>(position)];
  };
  const auto offer = [&](int32_t left, int32_t right) {
    if (const Merge* merge = merge_of(at(left).id, at(right).id))
      queue.push({merge->rank, left, merge->id});
  };
  for (int32_t i = 0; i < count; ++i) {
    at(i) = {characters[static_cast<size_t>(i)], i - 1, i + 1 < count ? i + 1 : -1};
    if (i > 0) offer(i - 1, i);
  }

  constexpr int32_t kGone = -2;  // `previous` of a symbol that was merged into its left neighbour
  while (!queue.empty()) {
    const Candidate best = queue.top();
    queue.pop();
    Symbol& left = at(best.position);
    if (left.previous == kGone || left.next < 0) continue;
    const Symbol right = at(left.next);
    const Merge* merge = merge_of(left.id, right.id);
    if (merge == nullptr || merge->id != best.id) continue;  // overtaken by another merge
    at(left.next).previous = kGone;
    left.id = best.id;
    left.next = right.next;
    if (right.next >= 0) {
      at(right.next).previous = best.position;
      offer(best.position, right.next);
    }
    if (left.previous >= 0) offer(left.previous, best.position);
  }

  std::vector<int32_t> ids;
  for (int32_t i = count > 0 ? 0 : -1; i >= 0; i = at(i).next) ids.push_back(at(i).id);
  return ids;
}

}  // namespace xkde
