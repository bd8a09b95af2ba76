import type { ReactNode } from 'react'
import type { Step } from './use-step.tsx'

/** A form that takes a step with the wallet, and says below what came of it. */
export const StepForm = ({
  step,
  className = 'form',
  children,
}: {
  step: Pick<Step<unknown>, 'start' | 'words'>
  className?: string
  children: ReactNode
}) => (
  <form
    className={className}
    onSubmit={(event) => {
      event.preventDefault()
      step.start()
    }}
  >
    {children}
    {step.words}
  </form>
)
