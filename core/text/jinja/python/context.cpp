#include "core/text/jinja/python/context.h"

#include <algorithm>
#include <charconv>

#include "core/base/error.h"

namespace xkde::jinja {
namespace {

std::optional<int> number(std::string_view text, int least, int most) {
  int value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  if (value < least || value > most) return std::nullopt;
  return value;
}

int days_of(int year, int month) {
  constexpr int kDays[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
  const bool leaps = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
  return kDays[month - 1] + (month == 2 && leaps ? 1 : 0);
}

}  // namespace

std::optional<Clock> parse_clock(std::string_view text) {
  const bool has_time = text.size() == 19;
  if (!has_time && text.size() != 10) return std::nullopt;
  if (text[4] != '-' || text[7] != '-') return std::nullopt;
  const auto year = number(text.substr(0, 4), 1, 9999);
  const auto month = number(text.substr(5, 2), 1, 12);
  if (!year || !month) return std::nullopt;
  const auto day = number(text.substr(8, 2), 1, days_of(*year, *month));
  if (!day) return std::nullopt;
  Clock clock{.year = *year, .month = *month, .day = *day};
  if (!has_time) return clock;
  if ((text[10] != ' ' && text[10] != 'T') || text[13] != ':' || text[16] != ':')
    return std::nullopt;
  const auto hour = number(text.substr(11, 2), 0, 23);
  const auto minute = number(text.substr(14, 2), 0, 59);
  const auto second = number(text.substr(17, 2), 0, 59);
  if (!hour || !minute || !second) return std::nullopt;
  clock.hour = *hour;
  clock.minute = *minute;
  clock.second = *second;
  return clock;
}

void Context::refuse(std::string_view what) const {
  throw ConfigError(concat(name_, ": line ", line, ": ", what));
}

void Context::turn_away(std::string_view why) const {
  throw DataError(concat(name_, ": line ", line,
                         ": expected a conversation that the template takes, found one that it "
                         "turns away: ",
                         why));
}

Value Context::sequence(std::vector<Value> items, Sequence::Kind kind) {
  spend(1 + static_cast<int64_t>(items.size()));
  auto made = std::make_shared<Sequence>();
  made->kind = kind;
  for (const Value& item : items) made->depth = std::max(made->depth, item.depth() + 1);
  if (made->depth > Limits::kValueDepth)
    refuse(concat("expected lists at most ", Limits::kValueDepth, " deep, found more"));
  made->items = std::move(items);
  return SequencePtr(std::move(made));
}

Value Context::dict(Dict made) {
  spend(1 + static_cast<int64_t>(made.entries.size()));
  if (made.depth > Limits::kValueDepth)
    refuse(concat("expected dicts at most ", Limits::kValueDepth, " deep, found more"));
  return DictPtr(std::make_shared<const Dict>(std::move(made)));
}

void Context::refuse_steps() const {
  refuse(concat("expected at most ", Limits::kSteps, " steps for a conversation, found more"));
}

void Context::refuse_bytes() const {
  refuse(concat("expected at most ", Limits::kTextBytes,
                " bytes of text for a conversation, found more"));
}

}  // namespace xkde::jinja
