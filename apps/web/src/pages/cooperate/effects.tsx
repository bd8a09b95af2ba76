import type { CallEffect, VaultProposal } from '@liquefy/client'

type Call = VaultProposal['calls'][number]

/** What a proposal does: each call in words, and as it is on the ledger. */
export const Effects = ({ effects, calls }: { effects: readonly CallEffect[]; calls: Call[] }) => (
  <ol className="effects">
    {calls.map((call, index) => (
      <Effect
        // biome-ignore lint/suspicious/noArrayIndexKey: the same call may stand there twice, and none ever moves.
        key={index}
        call={call}
        effect={effects[index]}
      />
    ))}
  </ol>
)

const Effect = ({
  call: { target, value, data },
  effect,
}: {
  call: Call
  effect: CallEffect | undefined
}) => {
  const severity = effect?.severity ?? 'unknown'
  return (
    <li className={severity === 'unknown' ? 'effect effect-unknown' : 'effect'}>
      <p>
        {severity === 'usual' ? null : (
          <>
            <span className="badge badge-decommissioned">
              {severity === 'grave' ? 'look closely' : 'unknown'}
            </span>{' '}
          </>
        )}
        {effect?.words ?? 'The node says nothing of this call: do not vote for it before you know.'}
      </p>
      <details>
        <summary>As it stands on the ledger</summary>
        <p className="note">
          to <code>{target}</code>
          {value === '0' ? '' : `, with ${value} wei`}
        </p>
        <pre>{data}</pre>
      </details>
    </li>
  )
}
