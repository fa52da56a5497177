# The Makefile's targets for Windows:  .\make.ps1 demo --fast
# If PowerShell refuses to run scripts:  powershell -ExecutionPolicy Bypass -File make.ps1 demo
param(
    [Parameter(Position = 0)]
    [ValidateSet('help', 'setup', 'demo', 'test', 'test-all', 'check', 'bench', 'simulate', 'lock', 'clean')]
    [string]$Target = 'help',
    [Parameter(ValueFromRemainingArguments = $true)]
    [string[]]$Rest = @()
)
$ErrorActionPreference = 'Stop'
Set-Location $PSScriptRoot

$Versions = '3.11', '3.12', '3.13'
$Sources = 'src', 'tests', 'benchmarks'

# Run a program and stop at its first failure; $ErrorActionPreference does not cover programs.
function Invoke-Step([string]$Program, [string[]]$Arguments) {
    & $Program @Arguments
    if ($LASTEXITCODE -ne 0) { exit $LASTEXITCODE }
}

function Test-Python([string]$Version) {
    # Through cmd: Windows PowerShell turns redirected standard error into an exception.
    & cmd /c "py -$Version -c pass >nul 2>&1"
    return $LASTEXITCODE -eq 0
}

function New-Environment([string]$Venv, [string]$Version) {
    if (Test-Path "$Venv\Scripts\python.exe") { return }
    if (-not $Version) { $Version = $Versions | Where-Object { Test-Python $_ } | Select-Object -First 1 }
    if (-not $Version) { throw 'riskd needs Python 3.11 or newer (with the py launcher)' }
    Write-Output "Setting up $Venv with Python $Version ..."
    Invoke-Step 'py' @("-$Version", '-m', 'venv', $Venv)
}

# Install when the stamp is missing or older than what it was made from.
function Install-Requirements([string]$Venv, [string]$Stamp, [string[]]$From) {
    $stampFile = "$Venv\$Stamp"
    $newest = ($From + 'pyproject.toml' | Get-Item | Sort-Object LastWriteTime | Select-Object -Last 1).LastWriteTime
    if ((Test-Path $stampFile) -and (Get-Item $stampFile).LastWriteTime -ge $newest) { return }
    $pip = '-m', 'pip', '--disable-pip-version-check', '--no-input', '-qq', 'install'
    foreach ($file in $From) {
        Invoke-Step "$Venv\Scripts\python.exe" ($pip + '--require-hashes', '-r', $file)
    }
    Invoke-Step "$Venv\Scripts\python.exe" ($pip + '--no-deps', '--no-build-isolation', '--editable', '.')
    Set-Content $stampFile ''
}

function Initialize-Runtime([string]$Venv = '.venv') {
    New-Environment $Venv ''
    Install-Requirements $Venv '.runtime' @('requirements\build.txt', 'requirements\runtime.txt')
}

function Initialize-All([string]$Venv = '.venv', [string]$Version = '') {
    New-Environment $Venv $Version
    Install-Requirements $Venv '.installed' @('requirements\build.txt', 'requirements\dev.txt')
}

$bin = '.venv\Scripts'
$pytest = '-m', 'pytest', '-q', '-n', '2', '--dist', 'loadfile'

switch ($Target) {
    'help' {
        Write-Output 'Targets: setup demo test test-all check bench simulate lock clean'
        Write-Output 'What follows the target is passed on:  .\make.ps1 demo --fast --json'
    }
    'setup' { Initialize-All }
    'demo' {
        Initialize-Runtime
        Invoke-Step "$bin\riskd.exe" (@('demo') + $Rest)
    }
    'test' {
        Initialize-All
        Invoke-Step "$bin\python.exe" ($pytest + '-m', 'not slow', '--cov', '--cov-report=term:skip-covered' + $Rest)
    }
    'test-all' {
        $missing = @()
        foreach ($version in $Versions) {
            if (-not (Test-Python $version)) { $missing += $version; continue }
            Initialize-All ".venv-$version" $version
            Invoke-Step ".venv-$version\Scripts\python.exe" ($pytest + '--timeout', '600' + $Rest)
        }
        if ($missing) { throw "not run, Python not found: $($missing -join ', ')" }
    }
    'check' {
        Initialize-All
        Invoke-Step "$bin\ruff.exe" (@('format', '--check', '--quiet') + $Sources)
        Invoke-Step "$bin\ruff.exe" (@('check', '--quiet') + $Sources)
        Invoke-Step "$bin\mypy.exe" @('--no-error-summary')
        Invoke-Step "$bin\lint-imports.exe" @('--no-logo', '--cache-dir', '.cache\import-linter')
        Invoke-Step "$bin\python.exe" @('-m', 'pytest', '-q', '-p', 'no:cacheprovider', 'tests/unit/test_tidy.py')
    }
    'bench' {
        Initialize-All
        Invoke-Step "$bin\python.exe" (@('-m', 'benchmarks.enforcement') + $Rest)
    }
    'simulate' {
        Initialize-All
        Invoke-Step "$bin\python.exe" (@('-m', 'tests.simulation') + $Rest)
    }
    'lock' {
        Initialize-All
        Install-Requirements '.venv' '.lock' @('requirements\lock.txt')
        $compile = 'pip', 'compile', '--quiet', '--universal', '--python-version', '3.11', '--generate-hashes', '--no-header', '--upgrade'
        Invoke-Step "$bin\uv.exe" ($compile + 'pyproject.toml', '--group', 'dev', '--output-file', 'requirements/dev.txt')
        Invoke-Step "$bin\uv.exe" ($compile + 'pyproject.toml', '--constraints', 'requirements/dev.txt', '--output-file', 'requirements/runtime.txt')
        Invoke-Step "$bin\uv.exe" ($compile + '--group', 'build', '--constraints', 'requirements/dev.txt', '--output-file', 'requirements/build.txt')
        Invoke-Step "$bin\uv.exe" ($compile + '--group', 'lock', '--output-file', 'requirements/lock.txt')
        foreach ($client in Get-ChildItem 'tests/e2e/clients/*.in') {
            $name = "tests/e2e/clients/$($client.BaseName)"
            Invoke-Step "$bin\uv.exe" ($compile + "$name.in", '--output-file', "$name.txt")
        }
    }
    'clean' {
        Get-ChildItem -Force -Path '.venv', '.venv-3.*', '.cache', '.coverage*', 'htmlcov', '.mypy_cache', '.pytest_cache',
            '.ruff_cache', '.hypothesis' -ErrorAction SilentlyContinue | Remove-Item -Recurse -Force
        Get-ChildItem -Path $Sources -Recurse -Directory -Filter '__pycache__' | Remove-Item -Recurse -Force
    }
}
