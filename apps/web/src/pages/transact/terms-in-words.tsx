import { type Explained, explainAgreement } from '@liquefy/protocol'

/** Terms in plain sentences, as the command line says them too. */
export const TermsInWords = ({ explained }: { explained: Explained }) => (
  <ul className="terms-in-words">
    {explainAgreement(explained).words.map((words) => (
      <li key={words}>{words}</li>
    ))}
  </ul>
)
