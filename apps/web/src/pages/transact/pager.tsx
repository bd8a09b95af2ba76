/** Ways to the pages beside this one of a list that begins with the newest; nothing where there is only one. */
export const Pager = ({
  what,
  onNewer,
  onEarlier,
}: {
  what: string
  onNewer: (() => void) | undefined
  onEarlier: (() => void) | undefined
}) =>
  onNewer || onEarlier ? (
    <nav className="pager" aria-label={`Pages of ${what}`}>
      <button type="button" className="button-quiet" disabled={!onNewer} onClick={onNewer}>
        Newer
      </button>
      <button type="button" className="button-quiet" disabled={!onEarlier} onClick={onEarlier}>
        Earlier
      </button>
    </nav>
  ) : null
