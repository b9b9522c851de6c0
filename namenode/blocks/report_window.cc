#include "namenode/blocks/report_window.h"

#include <utility>

namespace cairn::namenode {

void ReportWindow::Reset() {
  active_ = false;
  recent_.clear();
  previous_.clear();
  named_.clear();
}

void ReportWindow::Forget(int64_t now_ms, int64_t margin_ms) {
  if (active_ || now_ms - recent_since_ms_ <= margin_ms) return;
  if (now_ms - recent_since_ms_ > 2 * margin_ms) recent_.clear();
  previous_ = std::exchange(recent_, {});
  recent_since_ms_ = now_ms;
}

void ReportWindow::Begin(int64_t now_ms, int64_t margin_ms) {
  active_ = false;
  Forget(now_ms, margin_ms);
  active_ = true;
  named_.clear();
  begun_ms_ = last_piece_ms_ = now_ms;
}

void ReportWindow::End() {
  active_ = false;
  named_.clear();
}

void ReportWindow::Touch(BlockId block, int64_t now_ms, int64_t margin_ms) {
  Forget(now_ms, margin_ms);
  recent_.insert(block);
}

}  // namespace cairn::namenode
