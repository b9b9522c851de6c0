#include "common/status.h"

#include <gtest/gtest.h>

#include <cerrno>

namespace cairn {
namespace {

TEST(StatusTest, KindTravelsWithTheStatus) {
  const absl::Status plain = absl::UnavailableError("x");
  EXPECT_EQ(KindOf(plain), ErrorKind::kNone);
  absl::Status status = WithKind(plain, ErrorKind::kSafeMode);
  EXPECT_EQ(KindOf(status), ErrorKind::kSafeMode);
  status = Annotate(WithKind(status, ErrorKind::kNotActive), "try another");
  EXPECT_EQ(KindOf(status), ErrorKind::kNotActive);
  EXPECT_EQ(MessageOf(status), "try another: x");
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(KindOf(WithKind(status, ErrorKind::kNone)), ErrorKind::kNone);
  EXPECT_TRUE(WithKind(absl::OkStatus(), ErrorKind::kUsage).ok());
  EXPECT_TRUE(Annotate(absl::OkStatus(), "x").ok());
}

TEST(StatusTest, ErrnoSaysWhatAndWhere) {
  const absl::Status missing = ErrnoStatus("/a/b", ENOENT);
  EXPECT_TRUE(absl::IsNotFound(missing));
  EXPECT_EQ(MessageOf(missing), "/a/b: No such file or directory");
  EXPECT_TRUE(absl::IsAlreadyExists(ErrnoStatus("/a", EEXIST)));
  EXPECT_TRUE(absl::IsPermissionDenied(ErrnoStatus("/a", EACCES)));
  EXPECT_EQ(KindOf(ErrnoStatus("/a", ENOSPC)), ErrorKind::kNoSpace);
  EXPECT_EQ(KindOf(ErrnoStatus("/a", EDQUOT)), ErrorKind::kNoSpace);
  EXPECT_EQ(KindOf(ErrnoStatus("/a", EFBIG)), ErrorKind::kNoSpace);
  EXPECT_TRUE(absl::IsResourceExhausted(ErrnoStatus("/a", EFBIG)));
  EXPECT_TRUE(absl::IsInternal(ErrnoStatus("/a", EIO)));
  EXPECT_EQ(MessageOf(ErrnoStatus("", EEXIST)), "File exists");
}

absl::StatusOr<int> Half(int x) {
  if (x % 2 != 0) return absl::InvalidArgumentError("odd");
  return x / 2;
}

absl::StatusOr<int> Quarter(int x) {
  ASSIGN_OR_RETURN(const int half, Half(x));
  RETURN_IF_ERROR(Half(half).status());
  return half / 2;
}

TEST(StatusTest, MacrosPropagate) {
  EXPECT_EQ(*Quarter(8), 2);
  EXPECT_FALSE(Quarter(6).ok());
  EXPECT_FALSE(Quarter(7).ok());
}

}  // namespace
}  // namespace cairn
