#!/usr/bin/env bash
# Opens the start page in a headless Chromium. With SCREENSHOTS set, pictures of it go to that folder; the demo then
# runs two minutes first, so that it has something to show.
set -euo pipefail
cd "$(dirname "$0")/.."
CHROMIUM=${CHROMIUM:-$(command -v chromium || command -v google-chrome)} .ci/gotest.sh -run '^TestPagesInBrowser$' -count 1 ./internal/app
if [ -n "${SCREENSHOTS:-}" ] && command -v pngquant >/dev/null; then
  pngquant --force --ext .png --speed 1 --strip "$SCREENSHOTS"/*.png
fi
