// cairn expunge: empties the user's trash.
#include <memory>

#include "client/cli/commands.h"

namespace cairn::cli {

void AddTrashCommands(Cli& cli) {
  auto immediate = std::make_shared<bool>(false);
  Command& expunge =
      cli.Add("expunge", "", 0, 0,
              "delete checkpoints of your trash that are too old, and make a checkpoint",
              [immediate](Context& context, const Operands&) -> absl::Status {
                ASSIGN_OR_RETURN(const ClusterPath root, context.Resolve("/"));
                return root.fs->ExpungeTrash(*immediate);
              });
  expunge.Example("cairn expunge").Example("cairn expunge --immediate   # all of it, for good");
  expunge.options().AddBool("immediate", immediate.get(), "delete all of your trash now");
}

}  // namespace cairn::cli
