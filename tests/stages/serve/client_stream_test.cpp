#include "stages/serve/client_stream.h"

#include <array>
#include <atomic>
#include <chrono>
#include <string>
#include <thread>

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/base/stopwatch.h"

namespace xkde::serve {
namespace {

using std::chrono::milliseconds;

/// Two ends of a connection.
class ClientStreamTest : public testing::Test {
 protected:
  void SetUp() override { ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM, 0, ends_.data()), 0); }
  void TearDown() override {
    for (const int end : ends_) ::close(end);
  }

  void send(const std::string& bytes) const {
    ASSERT_EQ(::send(ends_[1], bytes.data(), bytes.size(), 0), std::ssize(bytes));
  }
  ClientStream stream(const ClientPatience& patience = {}) const {
    return ClientStream(ends_[0], patience, is_ending_);
  }

  std::array<int, 2> ends_{};
  std::atomic<bool> is_ending_ = false;
};

/// Bytes that come one by one until no more do.
size_t bytes_of(ClientStream& client) {
  size_t count = 0;
  for (char byte = 0; client.read(&byte, 1) == 1;) ++count;
  return count;
}

TEST_F(ClientStreamTest, AHeadWithoutAnEndIsGivenUp) {
  ClientStream client = stream({.head_bytes = 1000});
  send("GET / HTTP/1.1\r\nX: " + std::string(20'000, 'x'));
  EXPECT_EQ(bytes_of(client), 1000U);
}

TEST_F(ClientStreamTest, ABodyIsNotCountedAsAHead) {
  ClientStream client = stream({.silence = milliseconds(50), .head_bytes = 30});
  const std::string request = "POST / HTTP/1.1\r\nX: x\r\n\r\n" + std::string(20'000, '\n');
  send(request);
  EXPECT_EQ(bytes_of(client), request.size());
}

TEST_F(ClientStreamTest, WhoSaysNothingIsGivenUpBeforeWhoPauses) {
  ClientStream silent = stream({.first_byte = milliseconds(20), .silence = milliseconds(60'000)});
  const Stopwatch watch;
  EXPECT_EQ(bytes_of(silent), 0U);
  EXPECT_LT(watch.seconds(), 30);
}

TEST_F(ClientStreamTest, ARequestThatComesDropByDropIsGivenUp) {
  ClientStream client = stream({.request = milliseconds(1000)});
  std::atomic<bool> is_over = false;
  std::thread drops([&] {
    while (!is_over) {
      [[maybe_unused]] const auto sent = ::send(ends_[1], "x", 1, MSG_DONTWAIT);
      std::this_thread::sleep_for(milliseconds(5));
    }
  });
  const Stopwatch watch;
  EXPECT_GT(bytes_of(client), 0U);
  EXPECT_LT(watch.seconds(), 30);
  is_over = true;
  drops.join();
}

TEST_F(ClientStreamTest, TheEndOfTheServerIsTheEndOfAWait) {
  ClientStream client =
      stream({.first_byte = milliseconds(3'600'000), .request = milliseconds(3'600'000)});
  std::thread end([&] {
    std::this_thread::sleep_for(milliseconds(20));
    is_ending_ = true;
  });
  char byte = 0;
  EXPECT_EQ(client.read(&byte, 1), -1);
  EXPECT_EQ(client.write("x", 1), -1);
  end.join();
}

TEST_F(ClientStreamTest, WhoHungUpIsNotWrittenTo) {
  ClientStream client = stream();
  EXPECT_TRUE(client.is_writable());
  ::shutdown(ends_[1], SHUT_RDWR);
  EXPECT_FALSE(client.is_writable());
  EXPECT_EQ(client.write("x", 1), -1);
}

TEST_F(ClientStreamTest, WhoDoesNotReadIsGivenUp) {
  ClientStream client = stream({.silence = milliseconds(50)});
  const std::string piece(1 << 16, 'x');
  ssize_t sent = 0;
  for (int i = 0; sent >= 0 && i < 10'000; ++i) sent = client.write(piece.data(), piece.size());
  EXPECT_EQ(sent, -1);
}

}  // namespace
}  // namespace xkde::serve
