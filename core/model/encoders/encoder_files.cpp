#include "core/model/encoders/encoder_files.h"

#include "core/base/error.h"
#include "core/io/file_reader.h"
#include "core/model/encoders/m2m100_config.h"
#include "core/model/encoders/sentence_encoder_config.h"
#include "core/model/pretrained/folder_weights.h"
#include "core/text/tokenizer/word_piece.h"

namespace xkde {

namespace fs = std::filesystem;

std::vector<fs::path> sentence_encoder_files(const fs::path& folder) {
  std::vector<fs::path> files = SentenceEncoderConfig::from_folder(folder).files;
  const fs::path pieces = folder / "sentencepiece.bpe.model";
  if (is_there(pieces, FileOrigin::kInput)) {
    files.push_back(pieces);
  } else {
    const std::vector<fs::path> words = WordPiece::open(folder).files();
    files.insert(files.end(), words.begin(), words.end());
  }
  const std::vector<fs::path> weights = required_safetensors_files(folder, "AutoModel");
  files.insert(files.end(), weights.begin(), weights.end());
  return files;
}

std::vector<fs::path> nllb_files(const fs::path& folder) {
  std::vector<fs::path> files;
  for (const char* name : {"config.json", "sentencepiece.bpe.model"}) {
    files.push_back(folder / name);
    XKDE_CHECK(is_there(files.back(), FileOrigin::kInput), MissingInputError, files.back().string(),
               ": expected a file of an NLLB model, found none");
    // A model of another family lacks the other files too: say first what it is.
    if (files.size() == 1) M2m100Config::from_file(files.front());
  }
  if (is_there(folder / "tokenizer.json", FileOrigin::kInput))
    files.push_back(folder / "tokenizer.json");
  const auto weights = required_safetensors_files(folder, "M2M100ForConditionalGeneration");
  files.insert(files.end(), weights.begin(), weights.end());
  return files;
}

}  // namespace xkde
