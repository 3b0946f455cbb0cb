#include "core/editing/moments/covariance_file.h"

#include <algorithm>
#include <functional>
#include <set>
#include <span>

#include <ATen/ATen.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "core/base/error.h"
#include "core/io/atomic_file.h"
#include "core/io/file_reader.h"
#include "core/io/hdf5_file.h"
#include "core/io/sha256.h"
#include "core/memory/child_process.h"

namespace xkde {
namespace {

namespace fs = std::filesystem;

constexpr int64_t kMomentsVersion = 1;
constexpr const char* kKind = "second moments";
/// The names of all places, a line each. An attribute would have to be small.
constexpr const char* kPlaces = "places";
/// Rows of a chunk of a matrix, and of the list of places.
constexpr int64_t kMomentRows = 256, kPlaceBytes = 1 << 16;

int64_t file_bytes(const fs::path& path) { return static_cast<int64_t>(fs::file_size(path)); }

std::span<const double> doubles(const at::Tensor& matrix) {
  return {matrix.const_data_ptr<double>(), static_cast<size_t>(matrix.numel())};
}

std::string digest_of(const at::Tensor& matrix) {
  const std::span<const double> values = doubles(matrix);
  Sha256 digest;
  digest.update(values.data(), values.size_bytes());
  return digest.hex();
}

/// "layers", "layers/5" of "layers/5/down_proj".
void add_groups(const std::string& place, std::set<std::string>& groups) {
  for (size_t slash = place.find('/'); slash != std::string::npos;
       slash = place.find('/', slash + 1)) {
    groups.insert(place.substr(0, slash));
  }
}

void write_places(Hdf5File& file, const SecondMomentsByPlace& moments) {
  std::set<std::string> groups;
  std::string lines;
  for (const auto& [place, moment] : moments) {
    add_groups(place, groups);
    lines += place + "\n";
  }
  const int64_t bytes = std::ssize(lines);
  file.create_chunked(kPlaces, Hdf5Type::kUint8, {bytes},
                      std::clamp<int64_t>(bytes, 1, kPlaceBytes))
      .write(0, {reinterpret_cast<const uint8_t*>(lines.data()), lines.size()});
  for (const std::string& group : groups) file.create_group(group);
}

/// Whether a dataset is of `type` and no larger than the file, whose datasets are not compressed.
void check_room(const Hdf5Dataset& data, Hdf5Type type, const fs::path& path,
                const std::string& name) {
  const int64_t most = file_bytes(path);
  int64_t room = most;
  for (const int64_t extent : data.shape()) room = extent == 0 ? most : room / extent;
  XKDE_CHECK(data.stores(type) && room > 0, DataError, path.string(), ": ", name,
             ": expected numbers of the right type that fit into the file's ", most,
             " bytes, found shape ", fmt::format("[{}]", fmt::join(data.shape(), ", ")));
}

std::vector<std::string> read_places(const Hdf5File& file, const fs::path& path) {
  const Hdf5Dataset data = file.dataset(kPlaces);
  check_room(data, Hdf5Type::kUint8, path, kPlaces);
  std::vector<uint8_t> bytes(static_cast<size_t>(data.numel()));
  data.read(0, bytes);
  std::vector<std::string> places;
  std::string place;
  for (const uint8_t byte : bytes) {
    if (byte == '\n') {
      places.push_back(std::move(place));
      place.clear();
    } else {
      place += static_cast<char>(byte);
    }
  }
  XKDE_CHECK(place.empty(), DataError, path.string(), ": ", kPlaces,
             ": expected lines, found an end without one");
  return places;
}

/// The library does not survive every file.
void try_file(const fs::path& path, const std::function<void()>& read) {
  const int64_t bytes = file_bytes(path);
  const int64_t seconds = 10 + bytes / 10'000'000;
  try_in_child(path.string(), "the HDF5 library", read,
               {.bytes = int64_t{1} << 30, .seconds = seconds, .clock_seconds = 10 * seconds});
}

/// A matrix as the file has it.
Hdf5Dataset dataset_of(const Hdf5File& file, const fs::path& path, const std::string& place,
                       int64_t width) {
  Hdf5Dataset data = file.dataset(place);
  const std::vector<int64_t>& shape = data.shape();
  const bool is_square = shape.size() == 2 && shape[0] == shape[1] && shape[0] > 0;
  XKDE_CHECK(is_square && (width < 0 || shape[0] == width), DataError, path.string(), ": ", place,
             ": expected a matrix of ",
             width < 0 ? std::string("as many rows as columns") : fmt::format("width {}", width),
             ", found shape ", fmt::format("[{}]", fmt::join(shape, ", ")));
  check_room(data, Hdf5Type::kFloat64, path, place);
  return data;
}

/// Reads all rows, each batch in the place of the one before.
void try_rows(const Hdf5Dataset& data) {
  const int64_t width = data.shape()[0];
  std::vector<double> rows(static_cast<size_t>(std::min(width, kMomentRows) * width));
  for (int64_t first = 0; first < width; first += kMomentRows) {
    const int64_t count = std::min(kMomentRows, width - first);
    data.read(first, std::span(rows).first(static_cast<size_t>(count * width)));
  }
}

}  // namespace

std::string moment_place(int64_t layer, std::string_view module, std::string_view language) {
  const std::string place = fmt::format("layers/{}/{}", layer, module);
  return language.empty() ? place : fmt::format("languages/{}/{}", language, place);
}

void write_covariance(const fs::path& path, const SecondMomentsByPlace& moments,
                      const CovarianceSource& source) {
  const fs::path temporary = path.string() + ".tmp";
  remove_tree(temporary);  // of a writer that was killed
  try {
    Hdf5File file = Hdf5File::create(temporary);
    file.set_attribute("kind", kKind);
    file.set_attribute("format_version", kMomentsVersion);
    file.set_attribute("model", source.model);
    file.set_attribute("texts", source.texts);
    file.set_attribute("notes", source.notes);
    write_places(file, moments);
    for (const auto& [place, moment] : moments) {
      const at::Tensor mean = moment.mean.cpu().contiguous();
      const std::vector<int64_t> shape = mean.sizes().vec();
      Hdf5Dataset data = file.create_chunked(place, Hdf5Type::kFloat64, shape,
                                             std::min(shape.front(), kMomentRows));
      data.write(0, doubles(mean));
      data.set_attribute("tokens", moment.tokens);
      data.set_attribute("sha256", digest_of(mean));
    }
    file.close();
    replace_file(temporary, path);
  } catch (...) {
    try_remove_tree(temporary);
    throw;
  }
}

CovarianceFile CovarianceFile::open(const fs::path& path) {
  XKDE_CHECK(is_there(path, FileOrigin::kInput), MissingInputError, path.string(),
             ": expected a file of second moments, found none");
  CovarianceFile result;
  const auto read = [&] {
    const Hdf5File file = Hdf5File::open(path, Hdf5Use::kReadingData);
    const std::string kind = file.string_attribute("kind");
    XKDE_CHECK(kind == kKind, DataError, path.string(), ": expected a file of ", kKind, ", found ",
               kind);
    const int64_t version = file.integer_attribute("format_version");
    XKDE_CHECK(version == kMomentsVersion, DataError, path.string(), ": format_version: expected ",
               kMomentsVersion, ", found ", version);
    result.source_ = {file.string_attribute("model"), file.string_attribute("texts"),
                      file.string_attribute("notes")};
    result.places_ = read_places(file, path);
  };
  try_file(path, read);
  read();
  result.path_ = path;
  return result;
}

void CovarianceFile::check_has(const std::string& place) const {
  XKDE_CHECK(std::ranges::find(places_, place) != places_.end(), DataError, path_.string(),
             ": expected ", place, ", found ",
             fmt::format("{}", fmt::join(places_, places_.empty() ? "nothing" : ", ")));
}

void CovarianceFile::check_has(std::span<const std::string> places, int64_t width) const {
  for (const std::string& place : places) check_has(place);
  const auto look = [&] {
    const Hdf5File file = Hdf5File::open(path_, Hdf5Use::kReadingData);
    for (const std::string& place : places) dataset_of(file, path_, place, width);
  };
  try_file(path_, look);
  look();
}

SecondMoment CovarianceFile::read(const std::string& place, int64_t width) const {
  check_has(place);
  const auto with_file = [&](const std::function<void(const Hdf5Dataset&)>& use) {
    const Hdf5File file = Hdf5File::open(path_, Hdf5Use::kReadingData);
    use(dataset_of(file, path_, place, width));
  };
  try_file(path_, [&] { with_file(try_rows); });
  SecondMoment moment;
  with_file([&](const Hdf5Dataset& data) {
    moment.mean = at::empty(data.shape(), at::kDouble);
    data.read(0, std::span(moment.mean.mutable_data_ptr<double>(),
                           static_cast<size_t>(moment.mean.numel())));
    moment.tokens = data.integer_attribute("tokens");
    const std::string expected = data.string_attribute("sha256");
    const std::string found = digest_of(moment.mean);
    XKDE_CHECK(found == expected && moment.tokens > 0, DataError, path_.string(), ": ", place,
               ": expected values of SHA-256 ", expected.substr(0, 12), " over tokens, found ",
               found.substr(0, 12), " over ", moment.tokens);
  });
  return moment;
}

}  // namespace xkde
