import { ApiError } from '@liquefy/client'
import { useMutation } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'

/** Fetches a document with the reader's session, which no link carries, and hands it to the browser; words for what went wrong. */
export const useDownload = <Choice,>(fetchFile: (choice: Choice) => Promise<File>) => {
  const download = useMutation({
    mutationFn: async (choice: Choice) => {
      const file = await fetchFile(choice)
      save(file)
      return file.name
    },
  })
  const { error } = download
  return {
    isPending: download.isPending,
    start: (choice: Choice) => download.mutate(choice),
    words: (
      <div role="status">
        {download.isSuccess ? <p className="good-words">{download.data} is saved.</p> : null}
        {error ? (
          <p className="problem-words">
            {error.message}
            {error instanceof ApiError && error.code === 'DETAILS_MISSING' ? (
              <>
                {' '}
                <Link to="/me">My details</Link>
              </>
            ) : null}
          </p>
        ) : null}
      </div>
    ),
  }
}

const KEPT_MS = 60_000

const save = (file: File): void => {
  const url = URL.createObjectURL(file)
  const link = document.createElement('a')
  link.href = url
  link.download = file.name
  link.click()
  // The browser reads it after this returns.
  setTimeout(() => URL.revokeObjectURL(url), KEPT_MS)
}
