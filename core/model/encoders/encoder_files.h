#ifndef XKDE_CORE_MODEL_ENCODERS_ENCODER_FILES_H_
#define XKDE_CORE_MODEL_ENCODERS_ENCODER_FILES_H_

#include <filesystem>
#include <vector>

namespace xkde {

/// Everything that SentenceEncoder::open reads. Throws as it does for files that are missing.
std::vector<std::filesystem::path> sentence_encoder_files(const std::filesystem::path& folder);

/// Everything that an NLLB model and its tokenizer are read from: config.json, the weights,
/// sentencepiece.bpe.model and, where there, tokenizer.json, which does alone. Throws
/// MissingInputError, or DataError for a model of another family.
std::vector<std::filesystem::path> nllb_files(const std::filesystem::path& folder);

}  // namespace xkde

#endif  // XKDE_CORE_MODEL_ENCODERS_ENCODER_FILES_H_
