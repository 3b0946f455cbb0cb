#include "core/text/regex/pattern.h"

#include <algorithm>

#include "core/base/error.h"

namespace xkde {

SplitBehavior split_behavior(const JsonPlace& place) {
  const std::string& name = place.string();
  if (name == "Removed") return SplitBehavior::kRemoved;
  if (name == "Isolated") return SplitBehavior::kIsolated;
  if (name == "MergedWithPrevious") return SplitBehavior::kMergedWithPrevious;
  if (name == "MergedWithNext") return SplitBehavior::kMergedWithNext;
  if (name == "Contiguous") return SplitBehavior::kContiguous;
  place.fail("Removed, Isolated, MergedWithPrevious, MergedWithNext or Contiguous");
}

namespace {

/// Joins a segment to the one before it where `joins(is_match, previous_is_match)`.
template <typename Joins>
std::vector<Span> join_forward(const std::vector<Segment>& segments, Joins joins) {
  std::vector<Span> spans;
  bool previous = false;
  for (const Segment& segment : segments) {
    if (joins(segment.is_match, previous) && !spans.empty()) {
      spans.back().end = segment.span.end;
    } else {
      spans.push_back(segment.span);
    }
    previous = segment.is_match;
  }
  return spans;
}

std::vector<Span> join_with_next(const std::vector<Segment>& segments) {
  std::vector<Span> spans;
  bool previous = false;
  for (auto segment = segments.rbegin(); segment != segments.rend(); ++segment) {
    if (segment->is_match && !previous && !spans.empty()) {
      spans.back().begin = segment->span.begin;
    } else {
      spans.push_back(segment->span);
    }
    previous = segment->is_match;
  }
  std::reverse(spans.begin(), spans.end());
  return spans;
}

}  // namespace

std::vector<Span> split_spans(const std::vector<Segment>& segments, SplitBehavior behavior) {
  switch (behavior) {
    case SplitBehavior::kMergedWithPrevious:
      return join_forward(segments, [](bool match, bool previous) { return match && !previous; });
    case SplitBehavior::kContiguous:
      return join_forward(segments, [](bool match, bool previous) { return match == previous; });
    case SplitBehavior::kMergedWithNext:
      return join_with_next(segments);
    case SplitBehavior::kRemoved:
    case SplitBehavior::kIsolated:
      break;
  }
  std::vector<Span> spans;
  spans.reserve(segments.size());
  for (const Segment& segment : segments) {
    if (behavior == SplitBehavior::kIsolated || !segment.is_match) spans.push_back(segment.span);
  }
  return spans;
}

Regex make_pattern(const JsonPlace& place) {
  place.object();
  if (const auto regex = place.find("Regex"))
    return Regex::pattern(regex->string(), regex->where());
  if (const auto text = place.find("String")) return Regex::literal(text->string());
  place.fail("a pattern, {\"Regex\": ...} or {\"String\": ...}");
}

std::string replace_all(const Regex& regex, std::string_view text, const std::string& content,
                        const std::function<void(size_t)>& watch) {
  std::string replaced;
  replaced.reserve(text.size());
  size_t previous = 0;
  for (const Span& span : regex.find_all(text)) {
    watch(replaced.size() + span.begin - previous + content.size());
    replaced.append(text.substr(previous, span.begin - previous));
    replaced += content;
    previous = span.end;
  }
  replaced.append(text.substr(previous));
  return replaced;
}

}  // namespace xkde
