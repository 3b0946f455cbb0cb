#include "core/capability/text_documents.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/base/error.h"
#include "tests/support/message_of.h"
#include "tests/support/temp_folder.h"

namespace xkde {
namespace {

using ::testing::EndsWith;
using ::testing::HasSubstr;

TEST(TextDocuments, AreLinesWithoutTheirEndsAndWithoutBlankOnes) {
  const test::TempFolder folder;
  const auto file = folder.write("t.txt", "\xef\xbb\xbfone\r\n \t\n\ntwo ");

  const TextDocuments text = read_text_documents(file, DocumentUnit::kLines);

  ASSERT_EQ(text.documents.size(), 2U);
  EXPECT_EQ(text.documents[0].text, "one");
  EXPECT_EQ(text.documents[0].line, 1);
  EXPECT_EQ(text.documents[1].text, "two ");
  EXPECT_EQ(text.documents[1].line, 4);
  EXPECT_EQ(text.blank_lines, 2);
}

TEST(TextDocuments, OrTheFileAsItStands) {
  const test::TempFolder folder;
  const auto file = folder.write("t.txt", "\xef\xbb\xbfone\r\n\ntwo\n");

  const TextDocuments text = read_text_documents(file, DocumentUnit::kFile);

  ASSERT_EQ(text.documents.size(), 1U);
  EXPECT_EQ(text.documents[0].text, "one\r\n\ntwo\n");
}

TEST(TextDocuments, RefuseOtherBytesAndEmptyFiles) {
  const test::TempFolder folder;
  const auto latin = folder.write("l.txt", "one\nsch\xf6n\n");
  const auto blank = folder.write("b.txt", "\n \n");

  EXPECT_THAT(
      test::message_of<DataError>([&] { read_text_documents(latin, DocumentUnit::kLines); }),
      EndsWith("l.txt: line 2: expected UTF-8, found other bytes from byte 3 on"));
  EXPECT_THAT(test::message_of<DataError>([&] { read_text_documents(latin, DocumentUnit::kFile); }),
              EndsWith("l.txt: expected UTF-8, found other bytes from byte 7 on"));
  for (const DocumentUnit unit : {DocumentUnit::kLines, DocumentUnit::kFile}) {
    EXPECT_THAT(test::message_of<DataError>([&] { read_text_documents(blank, unit); }),
                HasSubstr("expected a text, found nothing but blanks"));
  }
}

}  // namespace
}  // namespace xkde
