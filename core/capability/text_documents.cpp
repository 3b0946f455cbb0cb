#include "core/capability/text_documents.h"

#include <string_view>
#include <utility>

#include "core/base/error.h"
#include "core/data/found_text.h"
#include "core/io/file_reader.h"
#include "core/text/regex/unicode.h"

namespace xkde {
namespace {

constexpr std::string_view kByteOrderMark = "\xef\xbb\xbf";

void drop_mark(std::string& text) {
  if (text.starts_with(kByteOrderMark)) text.erase(0, kByteOrderMark.size());
}

void check_utf8(const std::string& text, const std::string& place) {
  const size_t bad = unicode::first_invalid_byte(text);
  XKDE_CHECK(bad == std::string::npos, DataError, place,
             ": expected UTF-8, found other bytes from byte ", bad, " on");
}

}  // namespace

TextDocuments read_text_documents(const std::filesystem::path& file, DocumentUnit unit) {
  TextDocuments all;
  if (unit == DocumentUnit::kFile) {
    std::string text = read_text(file, FileOrigin::kInput);
    check_utf8(text, file.string());
    drop_mark(text);
    if (!is_blank(text)) all.documents.push_back({std::move(text), 1});
  } else {
    LineReader lines(file, FileOrigin::kInput);
    for (std::string line; lines.next(line);) {
      check_utf8(line, concat(file.string(), ": line ", lines.number()));
      if (lines.number() == 1) drop_mark(line);
      if (line.ends_with('\r')) line.pop_back();
      if (is_blank(line)) {
        ++all.blank_lines;
      } else {
        all.documents.push_back({line, lines.number()});
      }
    }
  }
  XKDE_CHECK(!all.documents.empty(), DataError, file.string(),
             ": expected a text, found nothing but blanks");
  return all;
}

}  // namespace xkde
