#include "stages/serve/request_guard.h"

#include <set>
#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace xkde::serve {
namespace {

const std::string kToken(32, 'a');
const std::string kBearer = "Bearer " + kToken;

RequestHead head(std::string_view host = "localhost:8642") {
  return {.path = "/facts", .host = host, .authorization = kBearer};
}

/// 0: the request may go on.
int status(const RequestHead& head, const std::string& host = "127.0.0.1") {
  const std::optional<ApiError> refusal = RequestGuard(kToken, host).refusal(head);
  return refusal ? refusal->status() : 0;
}

TEST(RequestGuard, ItsOwnNamesAreLetIn) {
  for (const char* host : {"localhost", "LocalHost:1", "127.0.0.1:8642", "[::1]:8642", "[::1]"})
    EXPECT_EQ(status(head(host)), 0) << host;
  for (const char* host : {"", "evil.example", "localhost.evil.example", "127.0.0.1.evil.example",
                           "192.0.2.7", "[::2]:80", ":80", "["})
    EXPECT_EQ(status(head(host)), 403) << host;
}

TEST(RequestGuard, ANamedAddressIsLetInToo) {
  EXPECT_EQ(status(head("box.example:80"), "Box.Example"), 0);
  EXPECT_EQ(status(head("192.0.2.7"), "192.0.2.7"), 0);
  EXPECT_EQ(status(head("192.0.2.8"), "192.0.2.7"), 403);
}

TEST(RequestGuard, EveryAddressIsReachedByNumbersAlone) {
  EXPECT_EQ(status(head("192.0.2.7:80"), "0.0.0.0"), 0);
  EXPECT_EQ(status(head("[2001:db8::1]:80"), "::"), 0);
  EXPECT_EQ(status(head("evil.example"), "0.0.0.0"), 403);
}

TEST(RequestGuard, OnlyTheTokenOpens) {
  const std::vector<std::string> wrong_values{
      "", kToken, "Bearer ", "bearer " + kToken, kBearer + "a", "Bearer " + std::string(32, 'b')};
  for (const std::string& value : wrong_values) {
    RequestHead wrong = head();
    wrong.authorization = value;
    EXPECT_EQ(status(wrong), 401) << value;
  }
}

TEST(RequestGuard, TheAddressOpensThePageAlone) {
  RequestHead page{.path = "/", .host = "localhost", .query_token = kToken};
  EXPECT_EQ(status(page), 0);
  page.query_token = "b";
  EXPECT_EQ(status(page), 401);
  page.query_token = kToken;
  page.path = "/facts";
  EXPECT_EQ(status(page), 401);
}

TEST(RequestGuard, BodiesSayTheirLengthAndAreNotPacked) {
  RequestHead packed = head();
  packed.is_packed = true;
  EXPECT_EQ(status(packed), 415);
  RequestHead chunked = head();
  chunked.is_chunked = true;
  EXPECT_EQ(status(chunked), 411);
  RequestHead endless = head();
  endless.has_no_end = true;
  EXPECT_EQ(status(endless), 411);
  RequestHead large = head();
  large.content_length = RequestGuard::kMostReadBytes + 1;
  EXPECT_EQ(status(large), 413);
}

TEST(RequestGuard, PartsOfAnswersAreNotGiven) {
  RequestHead ranged = head();
  ranged.is_ranged = true;
  EXPECT_EQ(status(ranged), 416);
}

TEST(RequestGuard, TokensDiffer) {
  std::set<std::string> tokens;
  for (int i = 0; i < 100; ++i) tokens.insert(random_token());
  EXPECT_EQ(tokens.size(), 100U);
  EXPECT_EQ(tokens.begin()->size(), 32U);
}

}  // namespace
}  // namespace xkde::serve
