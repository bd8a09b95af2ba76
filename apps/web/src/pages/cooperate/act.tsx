import { useSession } from '../../session/use-session.ts'
import { useStep } from '../../wallet/use-step.tsx'

type Work = Parameters<typeof useStep<true>>[0]

/** One step of a proposal that whoever has signed in can take. */
export const Act = ({
  words,
  button,
  done,
  work,
  quiet = false,
}: {
  words: string
  button: string
  done: string
  work: (wallets: Parameters<Work>[0]) => Promise<void>
  quiet?: boolean
}) => {
  const me = useSession()?.address
  const step = useStep(
    async (wallets) => {
      await work(wallets)
      return true as const
    },
    () => done,
  )
  return (
    <div className="form form-wide">
      <p>{words}</p>
      {me === undefined ? (
        <p className="note">Sign in to do it.</p>
      ) : (
        <div>
          <button
            type="button"
            className={quiet ? 'button button-quiet' : 'button'}
            disabled={step.isBlocked || step.outcome !== undefined}
            onClick={step.start}
          >
            {button}
          </button>
        </div>
      )}
      {step.words}
    </div>
  )
}
