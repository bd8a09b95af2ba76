import { useState } from 'react'

/** Lines to be copied into a terminal or a file. */
export const Copyable = ({ label, text }: { label: string; text: string }) => {
  const [copied, setCopied] = useState(false)
  const copy = async () => {
    // Without the right to it, or off HTTPS, one copies by hand.
    setCopied(
      await navigator.clipboard.writeText(text).then(
        () => true,
        () => false,
      ),
    )
  }
  return (
    <figure className="copyable">
      <figcaption>
        {label}
        <button type="button" className="button button-plain" onClick={() => void copy()}>
          {copied ? 'Copied' : 'Copy'}
        </button>
      </figcaption>
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: what is wider than the page is scrolled by keyboard. */}
      <pre tabIndex={0}>{text}</pre>
    </figure>
  )
}
