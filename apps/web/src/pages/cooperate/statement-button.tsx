import type { Hex } from '@liquefy/client'
import { node } from '../../api.ts'
import { useSession } from '../../session/use-session.ts'
import { useDownload } from '../use-download.tsx'

/** Every income, claim and share of whoever is signed in, as a table to keep. */
export const StatementButton = ({ vault, of }: { vault: Hex; of?: string }) => {
  const me = useSession()?.address
  const download = useDownload((owner: Hex) => node.ownerStatementCsv(vault, owner))
  if (me === undefined) return null
  return (
    <>
      <button
        type="button"
        className="button button-quiet"
        disabled={download.isPending}
        onClick={() => download.start(me)}
      >
        Statement as CSV{of ? <span className="visually-hidden"> of {of}</span> : null}
      </button>
      {download.words}
    </>
  )
}
