package rest

// PageInput are the parameters of a list, to be embedded in an operation's input.
type PageInput struct {
	Limit  int    `query:"limit" minimum:"1" maximum:"200" default:"50" doc:"At most so many items; fewer where they weigh more than 1 MiB"`
	Cursor string `query:"cursor" maxLength:"2048" doc:"next_cursor of the page before"`
}

// Page is one piece of a list. NextCursor is absent on the last one.
type Page[T any] struct {
	Items      []T    `json:"items" nullable:"false"`
	NextCursor string `json:"next_cursor,omitempty" doc:"Give it as cursor to get the next page; absent on the last page alone"`
}
