#ifndef XKDE_CORE_CAPABILITY_TEXT_DOCUMENTS_H_
#define XKDE_CORE_CAPABILITY_TEXT_DOCUMENTS_H_

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "core/capability/capability_options.h"

namespace xkde {

struct TextDocument {
  std::string text;
  int64_t line = 1;  ///< of the file, from 1, that it begins at
};

struct TextDocuments {
  std::vector<TextDocument> documents;  ///< at least one
  int64_t blank_lines = 0;              ///< that were left out
};

/// The documents of a UTF-8 text file: its lines without their ends, or all of it as it stands. A
/// byte-order mark is no part of them, and a line of blanks is none. Throws MissingInputError;
/// DataError where the file is not UTF-8 or holds no document.
TextDocuments read_text_documents(const std::filesystem::path& file, DocumentUnit unit);

}  // namespace xkde

#endif  // XKDE_CORE_CAPABILITY_TEXT_DOCUMENTS_H_
