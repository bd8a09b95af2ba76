/** Ways through a list that begins with the newest; nothing where there is only one page. */
export const OffsetPages = ({
  offset,
  nextOffset,
  onGo,
}: {
  offset: number
  /** Of the earlier ones; null if there are none. */
  nextOffset: number | null
  onGo: (offset: number) => void
}) => (
  <div className="actions">
    {offset === 0 ? null : (
      <button type="button" className="button button-quiet" onClick={() => onGo(0)}>
        The newest
      </button>
    )}
    {nextOffset === null ? null : (
      <button type="button" className="button button-quiet" onClick={() => onGo(nextOffset)}>
        Earlier ones
      </button>
    )}
  </div>
)
