"""Why a grant is as it is: a file a cause (or a small family), its words beside its function."""
