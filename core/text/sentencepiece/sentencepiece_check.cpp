#include "core/text/sentencepiece/sentencepiece_check.h"

#include <bit>
#include <cmath>
#include <cstddef>
#include <cstring>
#include <vector>

#include "core/base/error.h"
#include "core/base/limits.h"
#include "core/text/regex/unicode.h"

namespace xkde {
namespace {

static_assert(std::endian::native == std::endian::little, "numbers of the file are little-endian");

/// The fields of one message of Protocol Buffers, one after the other. Source:
/// https://protobuf.dev/programming-guides/encoding
class Fields {
 public:
  struct Field {
    uint64_t number = 0;
    int wire = 0;
    uint64_t value = 0;      ///< of wire type 0
    std::string_view bytes;  ///< of the other wire types
  };

  Fields(std::string_view bytes, const std::string& name) : rest_(bytes), name_(name) {}

  bool next(Field& field) {
    if (rest_.empty()) return false;
    const uint64_t tag = varint();
    field = {.number = tag >> 3, .wire = static_cast<int>(tag & 7), .value = 0, .bytes = {}};
    switch (field.wire) {
      case 0:
        field.value = varint();
        return true;
      case 1:
        field.bytes = take(8);
        return true;
      case 2:
        field.bytes = take(varint());
        return true;
      case 5:
        field.bytes = take(4);
        return true;
      default:
        throw DataError(
            concat(name_, ": expected a SentencePiece model, found a field of type ", field.wire));
    }
  }

 private:
  uint64_t varint() {
    uint64_t value = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
      const auto byte = static_cast<unsigned char>(take(1).front());
      value |= static_cast<uint64_t>(byte & 0x7FU) << shift;
      if (byte < 0x80) return value;
    }
    throw DataError(name_ + ": expected a SentencePiece model, found a number of 10 bytes");
  }
  std::string_view take(uint64_t count) {
    XKDE_CHECK(count <= rest_.size(), DataError, name_, ": expected a SentencePiece model with ",
               count, " more bytes, found ", rest_.size());
    const std::string_view part = rest_.substr(0, count);
    rest_.remove_prefix(count);
    return part;
  }

  std::string_view rest_;
  const std::string& name_;
};

constexpr int kVarint = 0;
constexpr int kBytes = 2;
constexpr int kFixed32 = 5;

// Fields of the whole model.
constexpr uint64_t kPieces = 1;
constexpr uint64_t kTrainer = 2;
constexpr uint64_t kNormalizer = 3;
constexpr uint64_t kDenormalizer = 5;

bool is_field(const Fields::Field& field, uint64_t number, int wire) {
  return field.number == number && field.wire == wire;
}

void check_piece(std::string_view message, const std::string& name) {
  Fields fields(message, name);
  std::string_view piece;
  for (Fields::Field field; fields.next(field);) {
    if (is_field(field, 1, kBytes)) piece = field.bytes;
    if (is_field(field, 2, kFixed32)) {
      float score = 0;
      std::memcpy(&score, field.bytes.data(), sizeof score);
      XKDE_CHECK(std::isfinite(score), DataError, name, ".score: expected a finite number, found ",
                 score);
    }
  }
  XKDE_CHECK(!piece.empty(), DataError, name, ".piece: expected a text, found an empty one");
  XKDE_CHECK(unicode::first_invalid_byte(piece) == std::string_view::npos, DataError, name,
             ".piece: expected UTF-8, found other bytes");
  XKDE_CHECK(piece.find('\0') == std::string_view::npos, DataError, name,
             ".piece: expected a text without a byte 0, found one");
}

SentencePieceParts::Piece read_piece(std::string_view message, const std::string& name) {
  SentencePieceParts::Piece piece;
  Fields fields(message, name);
  for (Fields::Field field; fields.next(field);) {
    if (is_field(field, 1, kBytes)) piece.text = field.bytes;
    if (!is_field(field, 3, kVarint)) continue;
    XKDE_CHECK(field.value >= 1 && field.value <= 6, DataError, name,
               ".type: expected one from 1 to 6, found ", field.value);
    piece.kind = static_cast<SentencePieceParts::Kind>(field.value);
  }
  return piece;
}

void read_trainer(std::string_view message, const std::string& name, SentencePieceParts& parts) {
  constexpr uint64_t kBpe = 2;
  Fields fields(message, name);
  for (Fields::Field field; fields.next(field);) {
    if (is_field(field, 3, kVarint)) parts.is_bpe = field.value == kBpe;
    if (is_field(field, 35, kVarint)) parts.falls_back_to_bytes = field.value != 0;
  }
}

void read_normalizer(std::string_view message, const std::string& name, SentencePieceParts& parts) {
  Fields fields(message, name);
  for (Fields::Field field; fields.next(field);) {
    if (is_field(field, 2, kBytes)) parts.maps_characters = !field.bytes.empty();
    if (is_field(field, 3, kVarint)) parts.puts_blank_in_front = field.value != 0;
    if (is_field(field, 4, kVarint)) parts.removes_blanks = field.value != 0;
  }
}

void check_normalizer(std::string_view message, const std::string& name) {
  Fields fields(message, name);
  for (Fields::Field field; fields.next(field);) {
    if (is_field(field, 2, kBytes))
      check_character_map(field.bytes, name + ".precompiled_charsmap");
  }
}

/// A unit of Darts-clone's array. Source: github.com/s-yata/darts-clone, include/darts.h
bool has_leaf(uint32_t unit) { return ((unit >> 8) & 1) == 1; }
uint32_t value_of(uint32_t unit) { return unit & 0x7FFFFFFFU; }
uint32_t label_of(uint32_t unit) { return unit & 0x800000FFU; }
uint32_t offset_of(uint32_t unit) { return (unit >> 10) << ((unit & (1U << 9)) >> 6); }

/// Goes where any text can lead, the shortest first.
class TrieWalk {
 public:
  TrieWalk(std::span<const uint32_t> units, std::string_view texts, const std::string& name)
      : units_(units), texts_(texts), name_(name), seen_(units.size(), false) {}

  void run() {
    constexpr uint32_t kLabels = 256;
    visit(0, 0);
    for (size_t i = 0; i < waiting_.size(); ++i) {
      const Node node = waiting_[i];
      for (uint32_t label = 0; label < kLabels; ++label) {
        const uint32_t child = node.base ^ label;
        if (label_of(unit(child)) == label && !seen_[child]) visit(child, node.depth + 1);
      }
    }
  }

 private:
  struct Node {
    uint32_t base;
    size_t depth;  ///< bytes of the shortest text that leads here
  };

  uint32_t unit(uint32_t index) const {
    XKDE_CHECK(index < units_.size(), DataError, name_, ": expected a unit below ", units_.size(),
               ", found a reference to ", index);
    return units_[index];
  }
  void visit(uint32_t index, size_t depth) {
    const uint32_t here = unit(index);
    const uint32_t base = index ^ offset_of(here);
    seen_[index] = true;
    if (depth > 0 && has_leaf(here)) check_text(value_of(unit(base)), depth);
    waiting_.push_back({base, depth});
  }
  void check_text(uint32_t begin, size_t depth) const {
    XKDE_CHECK(begin < texts_.size(), DataError, name_, ": expected a text below offset ",
               texts_.size(), ", found a reference to ", begin);
    const bool inside = (static_cast<unsigned char>(texts_[begin]) & 0xC0) == 0x80;
    XKDE_CHECK(!inside, DataError, name_, ": expected a text that begins with a character, found ",
               "a reference into one at ", begin);
    const size_t most = depth * limits::kTextGrowth + limits::kRuleRoom;
    const size_t length = texts_.find('\0', begin) - begin;
    XKDE_CHECK(length <= most, DataError, name_, ": expected at most ", most, " bytes for ", depth,
               ", found ", length);
  }

  std::span<const uint32_t> units_;
  std::string_view texts_;
  const std::string& name_;
  std::vector<bool> seen_;
  std::vector<Node> waiting_;
};

}  // namespace

void check_sentencepiece_model(std::string_view bytes, const std::string& name) {
  Fields fields(bytes, name);
  int64_t pieces = 0;
  for (Fields::Field field; fields.next(field);) {
    if (is_field(field, kPieces, kBytes))
      check_piece(field.bytes, concat(name, ": pieces[", pieces++, "]"));
    if (is_field(field, kNormalizer, kBytes))
      check_normalizer(field.bytes, name + ": normalizer_spec");
    if (is_field(field, kDenormalizer, kBytes))
      check_normalizer(field.bytes, name + ": denormalizer_spec");
  }
}

SentencePieceParts parts_of_sentencepiece_model(std::string_view bytes, const std::string& name) {
  check_sentencepiece_model(bytes, name);
  SentencePieceParts parts;
  Fields fields(bytes, name);
  for (Fields::Field field; fields.next(field);) {
    if (is_field(field, kPieces, kBytes))
      parts.pieces.push_back(
          read_piece(field.bytes, concat(name, ": pieces[", parts.pieces.size(), "]")));
    if (is_field(field, kTrainer, kBytes))
      read_trainer(field.bytes, name + ": trainer_spec", parts);
    if (is_field(field, kNormalizer, kBytes))
      read_normalizer(field.bytes, name + ": normalizer_spec", parts);
  }
  return parts;
}

void check_character_map(std::string_view map, const std::string& name) {
  if (map.empty()) return;
  uint32_t size = 0;
  XKDE_CHECK(map.size() > sizeof size, DataError, name, ": expected more than ", sizeof size,
             " bytes, found ", map.size());
  std::memcpy(&size, map.data(), sizeof size);
  map.remove_prefix(sizeof size);
  XKDE_CHECK(size < map.size() && size % sizeof(uint32_t) == 0, DataError, name,
             ": expected a trie of less than ", map.size(), " bytes in units of ", sizeof(uint32_t),
             ", found ", size, " bytes");
  std::vector<uint32_t> units(size / sizeof(uint32_t));
  if (!units.empty()) std::memcpy(units.data(), map.data(), size);
  check_character_trie(units, map.substr(size), name);
}

void check_character_trie(std::span<const uint32_t> units, std::string_view texts,
                          const std::string& name) {
  XKDE_CHECK(!texts.empty() && texts.back() == '\0', DataError, name,
             ": expected texts that end with a byte 0, found ", texts.size(), " bytes that do not");
  XKDE_CHECK(unicode::first_invalid_byte(texts) == std::string_view::npos, DataError, name,
             ": expected texts in UTF-8, found other bytes");
  TrieWalk(units, texts, name).run();
}

}  // namespace xkde
