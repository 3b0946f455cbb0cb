#ifndef XKDE_CORE_EDIT_PROMPT_H_
#define XKDE_CORE_EDIT_PROMPT_H_

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/data/edit_record.h"

namespace xkde {

/// The XE-IT prompt of protocol 2.1: facts in the edit language, the question in the language named
/// by `language_name`
/// ("French"). One fact stands alone, several become a numbered list.
std::string edit_prompt(const std::vector<std::string>& facts, std::string_view question,
                        std::string_view language_name);

/// "src alt": an edit as one line of text.
std::string fact_text(std::string_view src, std::string_view alt);

/// How a model is shown an edit and asked, all on the same harness: X-KDE (protocol 2.1), nothing
/// shown, LTE (2.2), IKE with demonstrations or, without them, ICE (2.3), ReMaKE (2.4).
enum class PromptMethod { kXkde, kNone, kLte, kIke, kRemake };

/// A question in its words. `facts` are those that the memory gave, best first; without any the
/// bare prompt stands alone.
struct Asked {
  std::vector<Probe> facts;  ///< question and new answer, in the edit language
  std::string_view question;
  std::string_view language_name;        ///< of the test language, in English; X-KDE only
  std::string_view demonstrations = {};  ///< IKE and ReMaKE: what stands before, as below
  bool is_stream = false;                ///< LTE words its prompt otherwise in batches and streams
};

/// The user's text with the facts. IKE and ReMaKE take one fact: InternalError for more.
std::string method_prompt(PromptMethod method, const Asked& asked);
/// The same question with nothing shown: what locality is compared with.
std::string bare_prompt(PromptMethod method, std::string_view question);

/// "New Fact: {q} {a}\nPrompt: {question} {answer}\n\n" (protocol 2.3): one demonstration of IKE.
std::string ike_demonstration(const Probe& fact, const Probe& asked);
/// What IKE looks its demonstrations up by: the same, without the answer.
std::string ike_query(const Probe& fact);
/// One block of ReMaKE's few-shot prefix (protocol 2.4): a question and answer in the edit language
/// and, where that is another one, in the test language.
std::string remake_block(const Probe& edit_side, const Probe* test_side);

}  // namespace xkde

#endif  // XKDE_CORE_EDIT_PROMPT_H_
