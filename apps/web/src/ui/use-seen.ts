import { useCallback, useState } from 'react'

/** Whether an element is on the screen or near it: what is not, need not be loaded. Give it the answered `ref`. */
export const useSeen = () => {
  const [seen, setSeen] = useState(false)
  const ref = useCallback((element: HTMLElement | null) => {
    if (!element) return
    const observer = new IntersectionObserver(
      ([entry]) => setSeen(entry?.isIntersecting === true),
      { rootMargin: '200px' },
    )
    observer.observe(element)
    return () => observer.disconnect()
  }, [])
  return { seen, ref }
}
