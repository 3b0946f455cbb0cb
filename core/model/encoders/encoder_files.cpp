#include "core/model/encoders/encoder_files.h"

#include "core/base/error.h"
#include "core/io/file_reader.h"
#include "core/model/encoders/m2m100_config.h"
#include "core/model/encoders/sentence_encoder_config.h"
#include "core/model/pretrained/folder_weights.h"
#include "core/text/sentencepiece/sentencepiece.h"
#include "core/text/tokenizer/word_piece.h"

namespace xkde {

namespace fs = std::filesystem;

std::vector<fs::path> sentence_encoder_files(const fs::path& folder) {
  const SentenceEncoderConfig config = SentenceEncoderConfig::from_folder(folder);
  std::vector<fs::path> files = config.files;
  if (const fs::path pieces = SentencePiece::find(config.folder); !pieces.empty()) {
    files.push_back(pieces);
  } else {
    const std::vector<fs::path> words = WordPiece::open(config.folder).files();
    files.insert(files.end(), words.begin(), words.end());
  }
  const std::vector<fs::path> weights = required_safetensors_files(config.folder, "AutoModel");
  files.insert(files.end(), weights.begin(), weights.end());
  return files;
}

std::vector<fs::path> nllb_files(const fs::path& folder) {
  std::vector<fs::path> files;
  const auto add = [&files](const fs::path& file) {
    XKDE_CHECK(is_there(file, FileOrigin::kInput), MissingInputError, file.string(),
               ": expected a file of an NLLB model, found none");
    files.push_back(file);
  };
  add(folder / "config.json");
  // A model of another family lacks the other files too: say first what it is.
  M2m100Config::from_file(files.front());
  const fs::path json = folder / "tokenizer.json";
  if (SentencePiece::find(folder) != json) add(folder / "sentencepiece.bpe.model");
  if (is_there(json, FileOrigin::kInput)) files.push_back(json);
  const auto weights = required_safetensors_files(folder, "M2M100ForConditionalGeneration");
  files.insert(files.end(), weights.begin(), weights.end());
  return files;
}

}  // namespace xkde
