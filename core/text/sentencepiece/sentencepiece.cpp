#include "core/text/sentencepiece/sentencepiece.h"

#include <optional>
#include <utility>

#include <sentencepiece_processor.h>

#include "core/base/error.h"
#include "core/io/file_reader.h"
#include "core/text/regex/unicode.h"
#include "core/text/sentencepiece/sentencepiece_check.h"
#include "core/text/sentencepiece/unigram_json.h"

namespace xkde {

namespace {

constexpr const char* kTokenizerJson = "tokenizer.json";

}  // namespace

struct SentencePiece::Impl {
  sentencepiece::SentencePieceProcessor processor;
  std::string path;
};

SentencePiece::SentencePiece(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
SentencePiece::SentencePiece(SentencePiece&&) noexcept = default;
SentencePiece& SentencePiece::operator=(SentencePiece&&) noexcept = default;
SentencePiece::~SentencePiece() = default;

SentencePiece SentencePiece::open(const std::filesystem::path& path) {
  const std::optional<std::string> bytes = text_if_there(path, FileOrigin::kInput);
  XKDE_CHECK(bytes, MissingInputError, path.string(),
             ": expected a SentencePiece model, found no file");
  return parse(*bytes, path);
}

std::filesystem::path SentencePiece::find(const std::filesystem::path& folder) {
  const std::filesystem::path model = folder / "sentencepiece.bpe.model";
  if (is_there(model, FileOrigin::kInput)) return model;
  const std::filesystem::path json_file = folder / kTokenizerJson;
  if (!is_there(json_file, FileOrigin::kInput)) return {};
  const Json json = read_json_file(json_file);
  const auto kind = JsonPlace(json, json_file.string()).object().find("model");
  const bool is_unigram =
      kind && kind->is_object() && kind->value().value("type", Json()) == "Unigram";
  return is_unigram ? json_file : std::filesystem::path();
}

SentencePiece SentencePiece::open_found(const std::filesystem::path& path) {
  if (path.filename() != kTokenizerJson) return open(path);
  const Json json = read_json_file(path);
  return parse(sentencepiece_model_of(JsonPlace(json, path.string())), path);
}

SentencePiece SentencePiece::parse(const std::string& bytes, const std::filesystem::path& path) {
  auto impl = std::make_unique<Impl>();
  impl->path = path.string();
  check_sentencepiece_model(bytes, path.string());
  // An empty file parses as a model without pieces.
  const auto status = impl->processor.LoadFromSerializedProto(bytes);
  XKDE_CHECK(status.ok() && impl->processor.GetPieceSize() > 0, DataError, path.string(),
             ": expected a SentencePiece model, found ",
             bytes.empty() ? "an empty file" : "something else: " + status.ToString());
  return SentencePiece(std::move(impl));
}

std::vector<int64_t> SentencePiece::encode(std::string_view text) const {
  const size_t invalid = unicode::first_invalid_byte(text);
  XKDE_CHECK(invalid == std::string_view::npos, DataError,
             "text to encode: expected UTF-8, found byte ",
             static_cast<int>(static_cast<unsigned char>(text[invalid])), " at offset ", invalid);
  std::vector<int> ids;
  const auto status = impl_->processor.Encode(text, &ids);
  XKDE_CHECK(status.ok(), DataError, impl_->path, ": text to encode: ", status.ToString());
  return {ids.begin(), ids.end()};
}

int64_t SentencePiece::size() const { return impl_->processor.GetPieceSize(); }

std::string SentencePiece::piece(int64_t id) const {
  XKDE_CHECK(id >= 0 && id < size(), DataError, impl_->path, ": piece: expected an id below ",
             size(), ", found ", id);
  return impl_->processor.IdToPiece(static_cast<int>(id));
}

std::optional<int64_t> SentencePiece::id_of(std::string_view piece) const {
  const int id = impl_->processor.PieceToId(piece);
  // The library answers the unknown piece's id for what it does not know.
  if (impl_->processor.IdToPiece(id) != piece) return std::nullopt;
  return id;
}

int64_t SentencePiece::unknown_id() const { return impl_->processor.unk_id(); }

}  // namespace xkde
