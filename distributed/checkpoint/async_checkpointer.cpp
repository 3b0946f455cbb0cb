#include "distributed/checkpoint/async_checkpointer.h"

#include <chrono>
#include <exception>
#include <future>
#include <memory>
#include <utility>
#include <vector>

#include <sched.h>
#include <sys/resource.h>
#include <unistd.h>

#include "core/base/error.h"
#include "distributed/comm/agreement.h"

namespace xkde::dist {
namespace {

constexpr int kNice = 10;

/// Of the calling thread and those that it starts. Where the system refuses, saving only disturbs
/// more.
void lower_priority() {
  const sched_param none{};
  ::sched_setscheduler(0, SCHED_BATCH, &none);
  ::setpriority(PRIO_PROCESS, static_cast<id_t>(::gettid()), kNice);
}

}  // namespace

AsyncCheckpointer::AsyncCheckpointer(std::filesystem::path root, const ShardLayout& layout,
                                     const std::vector<std::string>& states, Communicator& world,
                                     double share)
    : root_(std::move(root)), layout_(layout), world_(world), pace_(share) {
  for (const std::string& name : states) {
    const StateForm form = state_form(name);
    const auto numel = static_cast<size_t>(form.numel(layout));
    memory_.emplace_back(form.is_bytes ? (numel + sizeof(float) - 1) / sizeof(float) : numel);
    const std::span<float> values = memory_.back().values();
    if (form.is_bytes) {
      buffers_.push_back({name, {}, {reinterpret_cast<uint8_t*>(values.data()), numel}});
    } else {
      buffers_.push_back({name, values});
    }
  }
}

AsyncCheckpointer::~AsyncCheckpointer() {
  stop_.request_stop();
  if (thread_.valid()) thread_.wait();
}

void AsyncCheckpointer::save(std::function<void(const StateView&)> copy_into, CheckpointInfo info) {
  finish();
  auto next = std::make_unique<CheckpointSave>(root_, layout_, std::move(info), world_);
  try {
    next->prepare(buffers_, world_);
  } catch (const CommError&) {
    throw;
  } catch (const Error&) {
    next->abandon();
    throw;
  }
  save_ = std::move(next);
  stage_ = Stage::kWriting;
  pace_.calm();
  auto copied = std::make_shared<std::promise<void>>();
  copied_ = copied->get_future();
  run_at_low_priority([this, copied, copy_into = std::move(copy_into)] {
    try {
      copy_into(buffers_);
    } catch (...) {
      copied->set_exception(std::current_exception());
      throw;
    }
    copied->set_value();
    return save_->write_shard(buffers_, stop_.get_token(), &pace_);
  });
}

void AsyncCheckpointer::run_at_low_priority(std::function<WrittenShard()> work) {
  thread_ = std::async(std::launch::async, [work = std::move(work)] {
    lower_priority();
    return work();
  });
}

void AsyncCheckpointer::wait_for_copy() {
  if (copied_.valid()) copied_.get();
}

bool AsyncCheckpointer::is_writing() const {
  return thread_.valid() && thread_.wait_for(std::chrono::seconds(0)) != std::future_status::ready;
}

void AsyncCheckpointer::poll(bool anyone_writing) {
  if (stage_ != Stage::kIdle && !anyone_writing) advance();
}

void AsyncCheckpointer::finish() {
  pace_.hurry();
  while (stage_ != Stage::kIdle) {
    if (thread_.valid()) thread_.wait();
    advance();
  }
}

void AsyncCheckpointer::advance() {
  const auto result = [this] { return thread_.valid() ? thread_.get() : WrittenShard(); };
  try {
    const std::vector<WrittenShard> results = agree(world_, result);
    if (stage_ == Stage::kWriting) {
      stage_ = Stage::kCompleting;
      if (world_.rank() != 0) return;
      run_at_low_priority([this, results] {
        save_->complete(results);
        return WrittenShard();
      });
    } else {
      stage_ = Stage::kIdle;
      save_.reset();
    }
  } catch (const CommError&) {
    throw;
  } catch (const Error&) {
    stage_ = Stage::kIdle;
    save_->abandon();
    save_.reset();
    throw;
  }
}

}  // namespace xkde::dist
