#include "core/memory/memory_file.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <utility>

#include <ATen/ATen.h>

#include "core/base/error.h"
#include "core/io/atomic_file.h"
#include "core/io/file_reader.h"
#include "core/io/hdf5_file.h"
#include "core/io/sha256.h"
#include "core/memory/child_process.h"

namespace xkde {
namespace {

namespace fs = std::filesystem;

constexpr int64_t kFormatVersion = 2;  ///< version 1 has no ids
constexpr int64_t kParts = 3;          ///< of a fact's text: prompt, target, language
constexpr int64_t kChunkRows = 1024;
constexpr int64_t kChunkBytes = 1 << 20;
constexpr int64_t kBatchRows = 16 * kChunkRows;

/// Small memories have small files.
int64_t chunk_of(int64_t count, int64_t most) {
  const auto wanted = static_cast<uint64_t>(std::clamp<int64_t>(count, 16, most));
  return static_cast<int64_t>(std::bit_ceil(wanted));
}

std::span<const float> floats(const at::Tensor& rows) {
  return {rows.const_data_ptr<float>(), static_cast<size_t>(rows.numel())};
}

void write_texts(Hdf5File& file, std::span<const MemoryFact> facts) {
  std::string bytes;
  std::vector<int64_t> ends;
  ends.reserve(facts.size() * kParts);
  std::vector<int64_t> records;
  for (const MemoryFact& fact : facts) {
    for (const std::string* part : {&fact.prompt, &fact.target, &fact.language}) {
      bytes += *part;
      ends.push_back(std::ssize(bytes));
    }
    records.push_back(fact.record);
  }
  const auto count = std::ssize(facts);
  const int64_t chunk = chunk_of(count, kChunkRows);
  file.create_chunked("text", Hdf5Type::kUint8, {std::ssize(bytes)},
                      chunk_of(std::ssize(bytes), kChunkBytes))
      .write(0, {reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size()});
  file.create_chunked("text_ends", Hdf5Type::kInt64, {count, kParts}, chunk).write(0, ends);
  file.create_chunked("records", Hdf5Type::kInt64, {count}, chunk).write(0, records);
}

/// A dataset whose shape is as expected; -1 stands for any number that the file can hold: our own
/// datasets are not compressed.
Hdf5Dataset dataset_of(const Hdf5File& file, const std::string& path, const std::string& name,
                       const std::vector<int64_t>& expected) {
  Hdf5Dataset dataset = file.dataset(name);
  const std::vector<int64_t>& shape = dataset.shape();
  bool same = shape.size() == expected.size();
  for (size_t d = 0; same && d < shape.size(); ++d) {
    same = expected[d] < 0 || expected[d] == shape[d];
  }
  XKDE_CHECK(same, DataError, path, ": ", name, ": expected shape ", at::IntArrayRef(expected),
             " (-1: any), found ", at::IntArrayRef(shape));
  const auto most = static_cast<int64_t>(fs::file_size(path));
  const bool is_empty = std::ranges::find(shape, int64_t{0}) != shape.end();
  int64_t room = most;  // a number has a byte at least
  for (const int64_t extent : shape) room = is_empty ? most : room / extent;
  XKDE_CHECK(room > 0, DataError, path, ": ", name, ": expected what fits into the file's ", most,
             " bytes, found shape ", at::IntArrayRef(shape));
  return dataset;
}

MemoryIds read_attributes(const Hdf5File& file, const std::string& path, const MemoryKind& kind) {
  const int64_t version = file.integer_attribute("format_version");
  XKDE_CHECK(version == 1 || version == kFormatVersion, DataError, path,
             ": format_version: expected 1 or ", kFormatVersion, ", found ", version);
  const int64_t width = file.integer_attribute("width");
  XKDE_CHECK(width == kind.width, DataError, path, ": width of embeddings: expected ", kind.width,
             " as the encoder's, found ", width);
  const std::string encoder = file.string_attribute("encoder");
  XKDE_CHECK(encoder == kind.encoder, DataError, path, ": encoder: expected ", kind.encoder,
             ", found ", encoder);
  if (version == 1) return {};
  return {file.string_attribute("id"), file.string_attribute("id_before")};
}

std::vector<MemoryFact> read_texts(const Hdf5File& file, const std::string& path, int64_t count) {
  const Hdf5Dataset text = dataset_of(file, path, "text", {-1});
  std::vector<uint8_t> bytes(static_cast<size_t>(text.numel()));
  text.read(0, bytes);
  std::vector<int64_t> ends(static_cast<size_t>(count * kParts));
  dataset_of(file, path, "text_ends", {count, kParts}).read(0, ends);
  std::vector<int64_t> records(static_cast<size_t>(count));
  dataset_of(file, path, "records", {count}).read(0, records);
  const int64_t last = ends.empty() ? 0 : ends.back();
  XKDE_CHECK(std::is_sorted(ends.begin(), ends.end()) && (ends.empty() || ends.front() >= 0) &&
                 last == std::ssize(bytes),
             DataError, path, ": text_ends: expected rising offsets up to the ", bytes.size(),
             " bytes of text, found others");
  std::vector<MemoryFact> facts(static_cast<size_t>(count));
  int64_t begin = 0;
  auto end = ends.begin();
  for (size_t i = 0; i < facts.size(); ++i) {
    for (std::string* part : {&facts[i].prompt, &facts[i].target, &facts[i].language}) {
      part->assign(bytes.begin() + begin, bytes.begin() + *end);
      begin = *end++;
    }
    facts[i].record = records[i];
  }
  return facts;
}

/// Begins an entry, before the id of its memory's file. An earlier version wrote none, and began
/// with an index.
constexpr int64_t kHasId = -2;

/// Reads all datasets. Without `keeps_rows`, which is for a try, every batch of embeddings takes
/// the place of the one before.
StoredMemory read_datasets(const fs::path& file, const MemoryKind& kind, bool keeps_rows) {
  const std::string path = file.string();
  const Hdf5File in = Hdf5File::open(file, Hdf5Use::kReadingData);
  MemoryIds ids = read_attributes(in, path, kind);
  const Hdf5Dataset rows = dataset_of(in, path, "embeddings", {-1, kind.width});
  const int64_t count = rows.shape()[0];
  const at::Tensor embeddings =
      at::empty({keeps_rows ? count : std::min(count, kBatchRows), kind.width}, at::kFloat);
  for (int64_t first = 0; first < count; first += kBatchRows) {
    const int64_t part = std::min(kBatchRows, count - first);
    const int64_t place = keeps_rows ? first : 0;
    rows.read(first, std::span(embeddings.mutable_data_ptr<float>() + place * kind.width,
                               static_cast<size_t>(part * kind.width)));
  }
  return {std::move(ids), {read_texts(in, path, count), embeddings}};
}

/// The library does not survive every file, and this one may come from anybody.
void try_memory_file(const fs::path& file, const MemoryKind& kind) {
  const auto bytes = static_cast<int64_t>(fs::file_size(file));
  const int64_t seconds = 10 + bytes / 10'000'000;
  try_in_child(
      file.string(), "the HDF5 library", [&] { read_datasets(file, kind, false); },
      {.bytes = (int64_t{1} << 30) + 8 * bytes, .seconds = seconds, .clock_seconds = 10 * seconds});
}

/// A fact of an entry has three lengths and a record at least.
constexpr size_t kFactBytes = (kParts + 1) * sizeof(int64_t);

/// Numbers and texts, one behind the other.
class EntryReader {
 public:
  EntryReader(std::string_view bytes, const std::string& name) : bytes_(bytes), name_(name) {}

  int64_t number() {
    int64_t value = 0;
    std::memcpy(&value, take(sizeof value).data(), sizeof value);
    return value;
  }
  /// How many things follow, each of at least `least_bytes`.
  int64_t count(size_t least_bytes) {
    const int64_t value = number();
    XKDE_CHECK(value >= 0 && static_cast<uint64_t>(value) <= left() / least_bytes, DataError, name_,
               ": expected a number of at most ", left() / least_bytes, " in an entry, found ",
               value);
    return value;
  }
  std::string text() { return std::string(take(static_cast<size_t>(count(1)))); }
  std::string_view take(size_t count) {
    XKDE_CHECK(count <= bytes_.size(), DataError, name_, ": expected ", count,
               " more bytes of an entry, found ", bytes_.size());
    const std::string_view part = bytes_.substr(0, count);
    bytes_.remove_prefix(count);
    return part;
  }
  size_t left() const noexcept { return bytes_.size(); }

 private:
  std::string_view bytes_;
  const std::string& name_;
};

void put(std::string& out, int64_t value) {
  out.append(reinterpret_cast<const char*>(&value), sizeof value);
}
void put(std::string& out, const std::string& text) {
  put(out, std::ssize(text));
  out += text;
}
void put(std::string& out, std::span<const MemoryFact> facts) {
  for (const MemoryFact& fact : facts) {
    for (const std::string* part : {&fact.prompt, &fact.target, &fact.language}) put(out, *part);
    put(out, fact.record);
  }
}

}  // namespace

std::string id_with(const std::string& before, std::span<const MemoryFact> facts,
                    const at::Tensor& embeddings) {
  std::string texts;
  put(texts, before);
  put(texts, facts);
  Sha256 hash;
  hash.update(texts.data(), texts.size());
  const std::span<const float> numbers = floats(embeddings);
  hash.update(numbers.data(), numbers.size_bytes());
  return hash.hex();
}

void write_memory_file(const fs::path& file, const MemoryKind& kind, const MemoryIds& ids,
                       std::span<const MemoryFact> facts, const at::Tensor& embeddings) {
  const fs::path temporary = file.string() + ".tmp";
  fs::remove(temporary);  // of a writer that was killed
  try {
    Hdf5File out = Hdf5File::create(temporary);
    out.set_attribute("format_version", kFormatVersion);
    out.set_attribute("width", kind.width);
    out.set_attribute("encoder", kind.encoder);
    out.set_attribute("id", ids.own);
    out.set_attribute("id_before", ids.before);
    const auto count = std::ssize(facts);
    Hdf5Dataset rows = out.create_chunked("embeddings", Hdf5Type::kFloat32, {count, kind.width},
                                          chunk_of(count, kChunkRows));
    for (int64_t first = 0; first < count; first += kBatchRows) {
      rows.write(first, floats(embeddings.narrow(0, first, std::min(kBatchRows, count - first))));
    }
    write_texts(out, facts);
    out.close();
    replace_file(temporary, file);
  } catch (...) {
    std::error_code ignored;
    fs::remove(temporary, ignored);
    throw;
  }
}

StoredMemory read_memory_file(const fs::path& file, const MemoryKind& kind) {
  const std::string path = file.string();
  XKDE_CHECK(is_there(file, FileOrigin::kOwn), MissingInputError, path,
             ": expected a file of an edit memory, found none");
  try_memory_file(file, kind);
  return read_datasets(file, kind, true);
}

std::string journal_entry(const JournalPlace& place, const MemoryKind& kind,
                          std::span<const MemoryFact> facts, const at::Tensor& embeddings) {
  std::string entry;
  put(entry, kHasId);
  put(entry, place.file);
  put(entry, place.first);
  put(entry, std::ssize(facts));
  put(entry, kind.width);
  put(entry, kind.encoder);
  put(entry, facts);
  const std::span<const float> numbers = floats(embeddings);
  entry.append(reinterpret_cast<const char*>(numbers.data()), numbers.size_bytes());
  return entry;
}

JournalFacts read_journal_entry(std::string_view entry, const MemoryKind& kind,
                                const std::string& journal) {
  EntryReader reader(entry, journal);
  JournalFacts out;
  out.place.first = reader.number();
  if (out.place.first == kHasId) {
    out.place.file = reader.text();
    out.place.first = reader.number();
  }
  const int64_t count = reader.count(kFactBytes);
  const int64_t width = reader.number();
  const std::string encoder = reader.text();
  XKDE_CHECK(width == kind.width && encoder == kind.encoder, DataError, journal,
             ": expected facts of width ", kind.width, " and encoder ", kind.encoder, ", found ",
             width, " and ", encoder);
  for (int64_t i = 0; i < count; ++i) {
    MemoryFact& fact = out.stored.facts.emplace_back();
    for (std::string* part : {&fact.prompt, &fact.target, &fact.language}) *part = reader.text();
    fact.record = reader.number();
  }
  const auto bytes = static_cast<size_t>(count * width) * sizeof(float);
  const std::string_view numbers = reader.take(bytes);
  out.stored.embeddings = at::empty({count, width}, at::kFloat);
  std::copy(numbers.begin(), numbers.end(),
            reinterpret_cast<char*>(out.stored.embeddings.mutable_data_ptr<float>()));
  XKDE_CHECK(reader.left() == 0, DataError, journal, ": expected the end of an entry, found ",
             reader.left(), " more bytes");
  return out;
}

}  // namespace xkde
